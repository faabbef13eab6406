import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { PaymentRow } from "./payment-row.ts";

export interface CancelPaymentDeps {
  database: Database;
  store: { findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>> };
  sagas: { cancel(tx: Transaction, id: string): Promise<"canceling" | "too-late" | "ended" | "unknown"> };
}

/**
 * Takes a payment back as long as its money has not gone over. A top-up that it waits for is waited for
 * still, and what it brings stays the member's own.
 *
 * @throws FerryError NOT_FOUND for none and for another's; PAYMENT_NOT_CANCELABLE when its money goes
 * over, or it has come to another end.
 */
export function createCancelPayment({ database, store, sagas }: CancelPaymentDeps) {
  async function getOwn(tx: Transaction, memberId: string, id: string): Promise<PaymentRow> {
    const payment = (await store.findPayments(tx, [id])).get(id);
    if (payment?.memberId !== memberId) throw new FerryError("NOT_FOUND", `payment_id: no payment ${id}`);
    return payment;
  }

  return (memberId: string, id: string): Promise<void> =>
    database.transaction(async (tx) => {
      await getOwn(tx, memberId, id);
      const result = await sagas.cancel(tx, id);
      if (result === "canceling") return;
      const { state } = await getOwn(tx, memberId, id); // Again: it may have come to its end meanwhile.
      if (state === "CANCELED") return;
      const why = result === "ended" ? "it has come to its end" : "its money is going over, or it has failed already";
      throw new FerryError("PAYMENT_NOT_CANCELABLE", `the payment cannot be taken back: ${why}`);
    });
}
