import { TopUpCompletedSchema, TopUpFailedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { isAtRest, stateOf, type TopUpState } from "../domain/top-up.ts";
import type { TopUpSagaState } from "../sagas/state.ts";
import { toTopUpMessage } from "./top-up-message.ts";
import type { NewTopUp, TopUpChange, TopUpRow } from "./top-up-row.ts";

export interface FollowTopUpsDeps {
  store: {
    insertTopUp(tx: Transaction, topUp: NewTopUp): Promise<boolean>;
    updateTopUps(tx: Transaction, changes: readonly TopUpChange[]): Promise<TopUpRow[]>;
  };
  outbox: Outbox;
  /** Wakes whoever waits for this top-up; called after the commit. */
  ended(id: string, topUp: TopUpRow): void;
}

function stateFor({ status, steps }: Saga): TopUpState {
  const done = steps.filter((step) => step.status === "done" || step.status === "skipped").map(({ name }) => name);
  return stateOf(status, new Set(done));
}

function eventOf(row: TopUpRow, traceparent: string | undefined): OutgoingMessage | undefined {
  const content = { topUpId: row.id, memberId: row.memberId, topUp: toTopUpMessage(row), version: row.version };
  const facts = { id: `${row.id}:${row.version}`, traceparent };
  if (row.state === "COMPLETED")
    return { ...facts, schema: TopUpCompletedSchema, message: create(TopUpCompletedSchema, content) };
  if (row.state === "FAILED")
    return { ...facts, schema: TopUpFailedSchema, message: create(TopUpFailedSchema, content) };
  return undefined;
}

/** The record of a top-up that a payment began: no request stands behind it, so no key can ask for it again. */
function recordOf({ id, state, parent }: Saga): NewTopUp {
  const { amountMinor, ...request } = state as TopUpSagaState;
  return { ...request, id, amountMinor: BigInt(amountMinor), requestHash: new Uint8Array(), paymentId: parent?.id };
}

/**
 * Writes what became of top-ups as their sagas go on, and an event at each end, in the transaction that
 * changes the saga; and records those that payments begin.
 */
export function createFollowTopUps({ store, outbox, ended }: FollowTopUpsDeps) {
  return async (tx: Transaction, changes: readonly SagaChange[], begun: readonly Saga[]): Promise<void> => {
    for (const saga of begun) await store.insertTopUp(tx, recordOf(saga));
    const moved = changes.flatMap(({ before, after }): TopUpChange[] => {
      const state = stateFor(after);
      if (state === stateFor(before)) return [];
      return [{ id: after.id, state, failure: state === "FAILED" || state === "PARKED" ? after.failure : undefined }];
    });
    if (moved.length === 0) return;
    const rows = await store.updateTopUps(tx, moved);
    const traces = new Map(changes.map(({ after }) => [after.id, after.traceparent]));
    await outbox.add(
      tx,
      rows.flatMap((row) => eventOf(row, traces.get(row.id)) ?? []),
    );
    tx.afterCommit(() => {
      for (const row of rows) if (isAtRest(row.state)) ended(row.id, row);
    });
  };
}
