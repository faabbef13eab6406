import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import type { PaymentFacts } from "../domain/payment.ts";
import { checkRefund } from "../domain/refund.ts";
import { announcementOf } from "./announcement.ts";
import type { PaymentRow } from "./payment-row.ts";
import type { NewRefund, RefundRow } from "./refund-row.ts";
import { type Created, replayOf } from "./replay.ts";

interface RefundStore {
  lockPayment(tx: Transaction, id: string): Promise<PaymentRow | undefined>;
  findRefunds(from: Queryable, ids: readonly string[]): Promise<Map<string, RefundRow>>;
  insertRefund(tx: Transaction, refund: NewRefund): Promise<boolean>;
  addRefunded(tx: Transaction, refunds: readonly { paymentId: string; amountMinor: bigint }[]): Promise<void>;
}

export interface CreateRefundDeps {
  database: Database;
  store: RefundStore;
  outbox: Pick<Outbox, "add">;
  members: { stateOf(memberId: string): Promise<PaymentFacts["memberState"]> };
}

/**
 * Records a refund, counts it against its payment and announces it, in one transaction. A key that was
 * used before is answered from the record, before anything is checked.
 */
export function createCreateRefund(deps: CreateRefundDeps): (request: NewRefund) => Promise<Created<RefundRow>> {
  const { database, store, outbox, members } = deps;

  async function getRefund(from: Queryable, id: string): Promise<RefundRow> {
    const found = (await store.findRefunds(from, [id])).get(id);
    if (found === undefined) throw new Error(`refund ${id} was recorded but cannot be read`);
    return found;
  }

  return async (request) => {
    const before = (await store.findRefunds(database, [request.id])).get(request.id);
    if (before !== undefined) return replayOf(before, request);
    const memberState = await members.stateOf(request.memberId);
    const { row, fresh } = await database.transaction(async (tx) => {
      const payment = await store.lockPayment(tx, request.paymentId);
      const first = (await store.findRefunds(tx, [request.id])).get(request.id);
      if (first !== undefined) return { row: first, fresh: false }; // The same request was recorded while this one waited.
      checkRefund(request, memberState, payment);
      const isNew = await store.insertRefund(tx, request);
      const row = await getRefund(tx, request.id);
      if (!isNew || payment === undefined) return { row, fresh: false };
      await store.addRefunded(tx, [request]);
      await outbox.add(tx, [announcementOf(row, payment)]);
      return { row, fresh: true };
    });
    return fresh ? { row, replayed: false } : replayOf(row, request);
  };
}
