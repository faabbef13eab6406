import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { isAtRest, stateOf, type TransferState } from "../domain/transfer.ts";
import { requestOf, type TransferSagaState } from "../sagas/state.ts";
import type { MovedTransfer } from "./follow-lines.ts";
import { eventOf } from "./transfer-event.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferChange } from "./transfer-row.ts";
import { progressOf } from "./transfer-standing.ts";

interface TransferStore {
  updateTransfers(tx: Transaction, changes: readonly TransferChange[]): Promise<void>;
}

export interface FollowSagaDeps {
  store: TransferStore;
  outbox: Outbox;
  /** Writes what becomes of the transfers that are lines of batches. */
  followLines(tx: Transaction, moved: readonly MovedTransfer[]): Promise<void>;
  /** Wakes whoever waits for this transfer; called after the commit. */
  ended(id: string, transfer: Transfer): void;
  /** Wakes whoever watches these transfers; called after the commit. */
  changed(moved: readonly { id: string }[]): void;
  now(): Date;
}

/** A transfer stays where it was while it is undone: a hold that may never have been placed is taken back too. */
function stateAfter({ before, after }: SagaChange): TransferState {
  const turning = after.status === "undoing" && before.status !== "parked";
  return stateOf(progressOf(turning ? before : after));
}

/** A failure belongs to the ends that are none, and to what waits for an operator; while it is undone it is not told yet. */
function failureFor(state: TransferState, saga: Saga) {
  if (state === "PARKED") return saga.waiting.for === "operator" ? saga.waiting.reason : saga.failure;
  return state === "FAILED" || state === "CANCELED" ? saga.failure : undefined;
}

function turnsBack({ before, after }: SagaChange): boolean {
  return before.status === "running" && after.status === "undoing";
}

/**
 * Writes what became of transfers as their sagas go on: rows of those that turn back, come to rest or leave it, and
 * an event at each end, in the transaction that changes the saga. While a saga goes forward it says itself how far
 * (`transfer-standing.ts`). A transfer changes only with its saga, under the saga's lock, so the saga's revision is
 * the transfer's version.
 */
export function createFollowSaga({ store, outbox, followLines, ended, changed, now }: FollowSagaDeps) {
  return async (tx: Transaction, changes: readonly SagaChange[]): Promise<void> => {
    const updatedAt = now();
    const moved: TransferChange[] = [];
    const written: TransferChange[] = [];
    const events: OutgoingMessage[] = [];
    const atRest: Transfer[] = [];
    const ofBatches: MovedTransfer[] = [];
    for (const change of changes) {
      const saga = change.after as Saga<TransferSagaState>;
      const state = stateAfter(change);
      const stateBefore = stateOf(progressOf(change.before));
      const failure = failureFor(state, saga);
      if (saga.state.batch !== undefined) ofBatches.push({ change, stateBefore, stateAfter: state, failure });
      const turned = turnsBack(change);
      if (state === stateBefore && !turned) continue;
      const move = { id: saga.id, state, failure, version: BigInt(saga.revision), updatedAt };
      moved.push(move);
      if (turned || isAtRest(state) || isAtRest(stateBefore)) written.push(move);
      if (!isAtRest(state)) continue;
      const transfer = toTransferMessage(rowOf(saga, move), saga);
      atRest.push(transfer);
      const { memberId } = saga.state;
      const event = eventOf(transfer, { memberId, version: move.version, traceparent: saga.traceparent });
      if (event !== undefined) events.push(event);
    }
    // Told even while nothing of it can be seen: a line that turns back decides its batch at once.
    const lines = ofBatches.length === 0 ? undefined : followLines(tx, ofBatches);
    if (moved.length === 0) return lines;
    tx.afterCommit(() => {
      for (const transfer of atRest) ended(transfer.id, transfer);
      changed(moved);
    });
    await Promise.all([
      written.length === 0 ? undefined : store.updateTransfers(tx, written),
      outbox.add(tx, events),
      lines,
    ]);
  };
}

/** The transfer as it stands: what was asked for is in its saga, and was recorded when the saga began, or before. */
function rowOf({ state, createdAtMs }: Saga<TransferSagaState>, change: TransferChange) {
  return { ...requestOf(state), ...change, createdAt: new Date(state.createdAtMs ?? createdAtMs) };
}

/** Whether all that is written for these changes is asked for in one turn: what follows for a batch takes several. */
export function followsAtOnce(changes: readonly SagaChange[]): boolean {
  return changes.every(({ after }) => (after as Saga<TransferSagaState>).state.batch === undefined);
}
