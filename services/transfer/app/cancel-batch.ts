import type { Database, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { hasBatchEnded, type Verdict } from "../domain/batch.ts";
import type { BatchRow, DueWork } from "./batch-rows.ts";

interface BatchStore {
  lockBatches(tx: Transaction, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  decideBatch(tx: Transaction, id: string, verdict: Verdict): Promise<void>;
}

export interface CancelBatchDeps {
  database: Database;
  batches: BatchStore;
  due: { planWork(tx: Transaction, work: readonly DueWork[]): Promise<void> };
  wake(batchIds: Iterable<string>): void;
  now(): Date;
}

const CANCELED = { code: "CANCELED_BY_MEMBER", message: "canceled by the member" } as const;

/**
 * Decides that what a batch has not sent is taken back; that is done after the commit, a set at a time.
 *
 * @throws FerryError NOT_FOUND for none and for another's; BATCH_NOT_CANCELABLE when it has come to another end, fails
 * already, or, all-or-nothing, every line was held and the money is on its way.
 */
export function createCancelBatch({ database, batches, due, wake, now }: CancelBatchDeps) {
  return (memberId: string, id: string): Promise<void> =>
    database.transaction(async (tx) => {
      const batch = (await batches.lockBatches(tx, [id])).get(id);
      if (batch?.memberId !== memberId) throw new FerryError("NOT_FOUND", `no batch ${id}`);
      const { verdict, state } = batch;
      if (verdict?.kind === "STOP" && verdict.failure.code === "CANCELED_BY_MEMBER") return;
      const why = hasBatchEnded(state) ? "it has come to its end" : "it fails already, or its money is on its way";
      if (verdict !== undefined || hasBatchEnded(state))
        throw new FerryError("BATCH_NOT_CANCELABLE", `the batch cannot be taken back: ${why}`);
      tx.afterCommit(() => wake([id]));
      await Promise.all([
        batches.decideBatch(tx, id, { kind: "STOP", failure: CANCELED }),
        due.planWork(tx, [{ id, kind: "advance-batch", dueAtMs: now().getTime() }]),
      ]);
    });
}
