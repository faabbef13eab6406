import {
  type Transfer,
  TransferCanceledSchema,
  TransferCompletedSchema,
  TransferFailedSchema,
  TransferState as WireState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { isAtRest, stateOf, type TransferState } from "../domain/transfer.ts";
import { requestOf, type TransferSagaState } from "../sagas/state.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferChange } from "./transfer-row.ts";

interface TransferStore {
  updateTransfers(tx: Transaction, changes: readonly TransferChange[]): Promise<void>;
}

export interface FollowSagaDeps {
  store: TransferStore;
  outbox: Outbox;
  /** Wakes whoever waits for this transfer; called after the commit. */
  ended(id: string, transfer: Transfer): void;
  now(): Date;
}

function progressOf(saga: Saga) {
  const done = new Set(
    saga.steps
      .filter(
        ({ status }) => status !== "pending" && status !== "running" && status !== "unknown" && status !== "failed",
      )
      .map(({ name }) => name),
  );
  return { status: saga.status, done, canceled: saga.failure?.code === "CANCELED_BY_MEMBER" };
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

function eventOf(transfer: Transfer, { id, version }: TransferChange, saga: Saga<TransferSagaState>) {
  const content = { transferId: id, memberId: saga.state.memberId, transfer, version };
  const facts = { id: `${id}:${version}`, traceparent: saga.traceparent };
  switch (transfer.state) {
    case WireState.COMPLETED:
      return { ...facts, schema: TransferCompletedSchema, message: create(TransferCompletedSchema, content) };
    case WireState.FAILED:
      return { ...facts, schema: TransferFailedSchema, message: create(TransferFailedSchema, content) };
    case WireState.CANCELED:
      return { ...facts, schema: TransferCanceledSchema, message: create(TransferCanceledSchema, content) };
    default:
      return undefined;
  }
}

/**
 * Writes what became of transfers as their sagas go on: the state that readers see, and an event at
 * each end, in the transaction that changes the saga. A transfer changes only with its saga, under the
 * saga's lock, so the saga's revision is the transfer's version.
 */
export function createFollowSaga({ store, outbox, ended, now }: FollowSagaDeps) {
  return async (tx: Transaction, changes: readonly SagaChange[]): Promise<void> => {
    const updatedAt = now();
    const moved: TransferChange[] = [];
    const events: OutgoingMessage[] = [];
    const atRest: Transfer[] = [];
    for (const change of changes) {
      const saga = change.after as Saga<TransferSagaState>;
      const state = stateAfter(change);
      if (state === stateOf(progressOf(change.before))) continue;
      const failure = failureFor(state, saga);
      const move = { id: saga.id, state, failure, version: BigInt(saga.revision), updatedAt };
      moved.push(move);
      if (!isAtRest(state)) continue;
      const transfer = toTransferMessage(rowOf(saga, move), saga);
      atRest.push(transfer);
      const event = eventOf(transfer, move, saga);
      if (event !== undefined) events.push(event);
    }
    if (moved.length === 0) return;
    tx.afterCommit(() => {
      for (const transfer of atRest) ended(transfer.id, transfer);
    });
    await Promise.all([store.updateTransfers(tx, moved), outbox.add(tx, events)]);
  };
}

/** The transfer as it stands: what was asked for is in its saga, and was recorded when the saga began. */
function rowOf({ state, createdAtMs }: Saga<TransferSagaState>, change: TransferChange) {
  return { ...requestOf(state), ...change, createdAt: new Date(createdAtMs) };
}
