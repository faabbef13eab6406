import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import { announcementOf } from "./announcement.ts";
import type { PaymentRow } from "./payment-row.ts";
import type { RefundRow } from "./refund-row.ts";

export interface AnnounceAgainDeps {
  database: Database;
  store: {
    /** Takes refunds that have not ended so long after their last announcement; each time it is doubled. */
    takeUnended(tx: Transaction, limit: number, afterMs: number): Promise<RefundRow[]>;
    findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>>;
  };
  outbox: Pick<Outbox, "add">;
  /** Default 5 minutes: long after any refund has ended that nothing stands in the way of. */
  afterMs?: number;
}

/** Refunds that are announced again at once. */
const LIMIT = 100;
const DEFAULT_AFTER_MS = 300_000;

/**
 * Announces refunds again that have not ended in their time. There is no coordinator who would ask, so this
 * is what brings a refund on its way again, whatever was lost: each who took part says again what it did.
 *
 * @returns how many were announced.
 */
export function createAnnounceAgain({ database, store, outbox, afterMs = DEFAULT_AFTER_MS }: AnnounceAgainDeps) {
  return (): Promise<number> =>
    database.transaction(async (tx) => {
      const refunds = await store.takeUnended(tx, LIMIT, afterMs);
      if (refunds.length === 0) return 0;
      const payments = await store.findPayments(tx, [...new Set(refunds.map(({ paymentId }) => paymentId))]);
      await outbox.add(
        tx,
        refunds.map((refund) => announcementOf(refund, payments.get(refund.paymentId)!)),
      );
      return refunds.length;
    });
}
