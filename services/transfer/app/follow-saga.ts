import { create } from "@bufbuild/protobuf";
import {
  TransferCanceledSchema,
  TransferCompletedSchema,
  TransferFailedSchema,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { isAtRest, stateOf, type TransferState } from "../domain/transfer.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { TransferChange, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  updateTransfers(tx: Transaction, changes: readonly TransferChange[]): Promise<TransferRow[]>;
}

export interface FollowSagaDeps {
  store: TransferStore;
  outbox: Outbox;
  /** Wakes whoever waits for these transfers; called after the commit. */
  ended(ids: readonly string[]): void;
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

function eventOf(row: TransferRow, saga: Saga): OutgoingMessage | undefined {
  const content = {
    transferId: row.id,
    memberId: row.memberId,
    transfer: toTransferMessage(row, saga),
    version: row.version,
  };
  const facts = { id: `${row.id}:${row.version}`, traceparent: saga.traceparent };
  if (row.state === "COMPLETED")
    return { ...facts, schema: TransferCompletedSchema, message: create(TransferCompletedSchema, content) };
  if (row.state === "FAILED")
    return { ...facts, schema: TransferFailedSchema, message: create(TransferFailedSchema, content) };
  if (row.state === "CANCELED")
    return { ...facts, schema: TransferCanceledSchema, message: create(TransferCanceledSchema, content) };
  return undefined;
}

/**
 * Writes what became of transfers as their sagas go on: the state that readers see, and an event at
 * each end, in the transaction that changes the saga.
 */
export function createFollowSaga({ store, outbox, ended }: FollowSagaDeps) {
  return async (tx: Transaction, changes: readonly SagaChange[]): Promise<void> => {
    const moved = changes.flatMap((change): TransferChange[] => {
      const state = stateAfter(change);
      if (state === stateOf(progressOf(change.before))) return [];
      return [{ id: change.after.id, state, failure: failureFor(state, change.after) }];
    });
    if (moved.length === 0) return;
    const sagas = new Map(changes.map(({ after }) => [after.id, after]));
    const rows = await store.updateTransfers(tx, moved);
    const events = rows.flatMap((row) => {
      const saga = sagas.get(row.id);
      return saga === undefined ? [] : (eventOf(row, saga) ?? []);
    });
    await outbox.add(tx, events);
    const settled = rows.filter(({ state }) => isAtRest(state)).map(({ id }) => id);
    tx.afterCommit(() => ended(settled));
  };
}
