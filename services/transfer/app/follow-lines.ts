import type { Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { lineStateOf, type Verdict } from "../domain/batch.ts";
import type { TransferState } from "../domain/transfer.ts";
import { GATE } from "../sagas/send-in-batch.ts";
import type { TransferSagaState } from "../sagas/state.ts";
import type { BatchRow, LineChange } from "./batch-rows.ts";

interface BatchStore {
  lockBatches(tx: Transaction, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  decideBatch(tx: Transaction, id: string, verdict: Verdict): Promise<void>;
}

interface LineStore {
  updateLines(tx: Transaction, changes: readonly LineChange[]): Promise<void>;
}

export interface FollowLinesDeps {
  batches: BatchStore;
  lines: LineStore;
  /** Hears after the commit of batches that can go on. */
  wake(batchIds: Iterable<string>): void;
}

/** A transfer that moved, of whichever kind. */
export interface MovedTransfer {
  change: SagaChange;
  stateBefore: TransferState;
  stateAfter: TransferState;
  failure: { code: string; message: string } | undefined;
}

/** A line that turned back before its batch let it through. */
interface Deserter {
  batchId: string;
  line: number;
  code: string;
}

function deserterOf({ before, after }: SagaChange): Deserter | undefined {
  const { batch } = (after as Saga<TransferSagaState>).state;
  const gate = after.steps.find(({ name }) => name === GATE);
  if (batch === undefined || gate === undefined || gate.status === "done") return undefined;
  const turned = after.status === "undoing" || after.status === "undone";
  const hadTurned = before.status === "undoing" || before.status === "undone";
  if (!turned || hadTurned) return undefined;
  return { batchId: batch.id, line: batch.line, code: after.failure?.code ?? "INTERNAL" };
}

/**
 * Writes what becomes of lines as their transfers go on, in the transaction that changes their sagas. A line of an
 * all-or-nothing batch that turns back before the gate decides the batch, under the batch's lock: either it comes
 * before the verdict that every line is held, or it is refused.
 */
export function createFollowLines({ batches, lines, wake }: FollowLinesDeps) {
  async function stopBatchesOf(tx: Transaction, deserters: readonly Deserter[]): Promise<void> {
    const locked = await batches.lockBatches(tx, [...new Set(deserters.map(({ batchId }) => batchId))].sort());
    for (const { batchId, line, code } of deserters) {
      const batch = locked.get(batchId);
      if (batch?.verdict?.kind === "GO")
        throw new FerryError("TRANSFER_NOT_CANCELABLE", "every line of its batch is held, and the money is on its way");
      if (batch === undefined || batch.verdict !== undefined) continue;
      const failure = { code: "BATCH_FAILED", message: `line ${line} of the batch failed: ${code}` } as const;
      await batches.decideBatch(tx, batchId, { kind: "STOP", failure });
      locked.set(batchId, { ...batch, verdict: { kind: "STOP", failure } });
    }
  }

  return async (tx: Transaction, moved: readonly MovedTransfer[]): Promise<void> => {
    const changes: LineChange[] = [];
    const deserters: Deserter[] = [];
    for (const { change, stateBefore, stateAfter, failure } of moved) {
      const { batch } = (change.after as Saga<TransferSagaState>).state;
      if (batch === undefined) continue;
      const deserter = deserterOf(change);
      if (deserter !== undefined) deserters.push(deserter);
      const state = lineStateOf(stateAfter);
      if (state !== lineStateOf(stateBefore)) changes.push({ batchId: batch.id, line: batch.line, state, failure });
    }
    if (deserters.length > 0) await stopBatchesOf(tx, deserters);
    if (changes.length > 0) await lines.updateLines(tx, changes);
    const ids = new Set([...changes, ...deserters].map(({ batchId }) => batchId));
    if (ids.size > 0) tx.afterCommit(() => wake(ids));
  };
}
