import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import { eventOf } from "./transfer-event.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferChange, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  leaveSchedule(tx: Transaction, transfers: readonly TransferChange[]): Promise<Set<string>>;
}

interface DueStore {
  deleteWork(tx: Transaction, kind: "begin-transfer", ids: readonly string[]): Promise<void>;
}

export interface EndScheduledDeps {
  store: TransferStore;
  due: DueStore;
  outbox: Outbox;
  /** Wakes whoever waits for this transfer; called after the commit. */
  ended(id: string, transfer: Transfer): void;
  now(): Date;
}

/** How a transfer ends that never began. */
export interface ScheduledEnd {
  row: TransferRow;
  state: "FAILED" | "CANCELED";
  failure: { code: string; message: string };
}

/**
 * Ends transfers that are still scheduled: nothing was done, so nothing is undone.
 *
 * @returns the ids of those that were; the others have begun meanwhile, or have ended.
 */
export function createEndScheduled({ store, due, outbox, ended, now }: EndScheduledDeps) {
  return async (tx: Transaction, ends: readonly ScheduledEnd[]): Promise<Set<string>> => {
    if (ends.length === 0) return new Set();
    const updatedAt = now();
    const changes = ends.map(({ row, state, failure }) => ({
      ...{ id: row.id, state, failure, updatedAt },
      version: row.version + 1n,
    }));
    const left = await store.leaveSchedule(tx, changes);
    const transfers = ends.flatMap(({ row }, index) =>
      left.has(row.id) ? [{ row, transfer: toTransferMessage({ ...row, ...changes[index]! }, undefined) }] : [],
    );
    const events = transfers.flatMap(({ row, transfer }) => {
      const { memberId, version } = row;
      return eventOf(transfer, { memberId, version: version + 1n, traceparent: undefined }) ?? [];
    });
    await Promise.all([outbox.add(tx, events), due.deleteWork(tx, "begin-transfer", [...left])]);
    tx.afterCommit(() => {
      for (const { transfer } of transfers) ended(transfer.id, transfer);
    });
    return left;
  };
}

export type EndScheduled = ReturnType<typeof createEndScheduled>;
