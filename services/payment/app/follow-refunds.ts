import { RefundCompletedSchema, RefundFailedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Database, Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { hearOf, isRefundOver, type RefundNews } from "../domain/refund.ts";
import { toRefundMessage } from "./refund-message.ts";
import type { RefundMove, RefundRow } from "./refund-row.ts";

/** What another service has said of a refund. */
export interface HeardNews {
  refundId: string;
  news: RefundNews;
  traceparent: string | undefined;
}

export interface FollowRefundsDeps {
  database: Database;
  store: {
    lockRefunds(tx: Transaction, ids: readonly string[]): Promise<Map<string, RefundRow>>;
    updateRefunds(tx: Transaction, moves: readonly RefundMove[]): Promise<RefundRow[]>;
    addRefunded(tx: Transaction, refunds: readonly { paymentId: string; amountMinor: bigint }[]): Promise<void>;
  };
  outbox: Pick<Outbox, "add">;
  /** Wakes whoever waits for this refund; called after the commit. */
  ended(id: string, refund: RefundRow): void;
}

function eventOf(row: RefundRow, traceparent: string | undefined): OutgoingMessage[] {
  const { id: refundId, memberId, merchantMemberId, version } = row;
  const content = { refundId, memberId, merchantMemberId, version, refund: toRefundMessage(row) };
  const facts = { id: `${refundId}:${version}`, traceparent };
  if (row.state === "COMPLETED")
    return [{ ...facts, schema: RefundCompletedSchema, message: create(RefundCompletedSchema, content) }];
  if (row.state === "FAILED")
    return [{ ...facts, schema: RefundFailedSchema, message: create(RefundFailedSchema, content) }];
  return [];
}

/**
 * Takes in what ledger and banking say of refunds: the states that readers see, an event at each end, and
 * payment's own part taken back when a refund has failed, in one transaction. What changes nothing (said
 * twice, too late, or of a refund that is not known) leaves no trace.
 */
export function createFollowRefunds({ database, store, outbox, ended }: FollowRefundsDeps) {
  return (heard: readonly HeardNews[]): Promise<void> =>
    database.transaction(async (tx) => {
      const rows = await store.lockRefunds(tx, [...new Set(heard.map(({ refundId }) => refundId))]);
      const moves = new Map<string, RefundMove & { traceparent: string | undefined }>();
      for (const { refundId: id, news, traceparent } of heard) {
        const state = moves.get(id)?.state ?? rows.get(id)?.state;
        const change = state === undefined ? undefined : hearOf(state, news);
        if (change !== undefined) moves.set(id, { id, ...change, traceparent });
      }
      if (moves.size === 0) return;
      const moved = await store.updateRefunds(tx, [...moves.values()]);
      const failed = moved.filter(({ state }) => state === "FAILED");
      await store.addRefunded(
        tx,
        failed.map(({ paymentId, amountMinor }) => ({ paymentId, amountMinor: -amountMinor })),
      );
      const events = moved.flatMap((row) => eventOf(row, moves.get(row.id)?.traceparent));
      if (events.length > 0) await outbox.add(tx, events);
      tx.afterCommit(() => {
        for (const row of moved) if (isRefundOver(row.state)) ended(row.id, row);
      });
    });
}
