import {
  type Payment,
  PaymentCanceledSchema,
  PaymentCompletedSchema,
  PaymentFailedSchema,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Saga, SagaChange } from "@ferry/platform/saga";
import { isPaymentAtRest, type PaymentState, paymentStateOf } from "../domain/payment.ts";
import { isShort, type PaySagaState } from "../sagas/pay-state.ts";
import { toPayersView } from "./payment-message.ts";
import type { PaymentChange, PaymentRow } from "./payment-row.ts";

export interface FollowPaymentsDeps {
  store: { updatePayments(tx: Transaction, changes: readonly PaymentChange[]): Promise<PaymentRow[]> };
  outbox: Pick<Outbox, "add">;
  /** Wakes whoever waits for this payment; called after the commit. */
  ended(id: string, payment: Payment): void;
}

function stateFor(saga: Saga): PaymentState {
  const done = saga.steps.filter(({ status }) => status === "done" || status === "skipped").map(({ name }) => name);
  return paymentStateOf({
    status: saga.status,
    done: new Set(done),
    short: isShort(saga.state as PaySagaState),
    canceled: saga.failure?.code === "CANCELED_BY_MEMBER",
  });
}

/** A payment stays where it was while it is undone: a hold that may never have been placed is taken back too. */
function stateAfter({ before, after }: SagaChange): PaymentState {
  return stateFor(after.status === "undoing" && before.status !== "parked" ? before : after);
}

/** A failure belongs to the ends that are none, and to what waits for an operator. */
function failureFor(state: PaymentState, saga: Saga) {
  if (state === "PARKED") return saga.waiting.for === "operator" ? saga.waiting.reason : saga.failure;
  return state === "FAILED" || state === "CANCELED" ? saga.failure : undefined;
}

function eventOf(row: PaymentRow, payment: Payment, traceparent: string | undefined): OutgoingMessage[] {
  const { id: paymentId, memberId, merchantMemberId, version } = row;
  const content = { paymentId, memberId, payment, version };
  const facts = { id: `${paymentId}:${version}`, traceparent };
  switch (row.state) {
    case "COMPLETED":
      return [
        {
          ...{ ...facts, schema: PaymentCompletedSchema },
          message: create(PaymentCompletedSchema, { ...content, merchantMemberId }),
        },
      ];
    case "FAILED":
      return [{ ...facts, schema: PaymentFailedSchema, message: create(PaymentFailedSchema, content) }];
    case "CANCELED":
      return [{ ...facts, schema: PaymentCanceledSchema, message: create(PaymentCanceledSchema, content) }];
    default:
      return [];
  }
}

/**
 * Writes what became of payments as their sagas go on, the top-ups that they begin among it, and an event
 * at each end, in the transaction that changes the saga.
 */
export function createFollowPayments({ store, outbox, ended }: FollowPaymentsDeps) {
  return async (tx: Transaction, changes: readonly SagaChange[], begun: readonly Saga[]): Promise<void> => {
    const topUpIds = new Map(begun.map(({ id, parent }) => [parent?.id, id]));
    const moves = changes.flatMap((change): PaymentChange[] => {
      const { id } = change.after;
      const [state, topUpId] = [stateAfter(change), topUpIds.get(id)];
      if (state === stateFor(change.before) && topUpId === undefined) return [];
      return [{ id, state, topUpId, failure: failureFor(state, change.after) }];
    });
    if (moves.length === 0) return;
    const sagas = new Map(changes.map(({ after }) => [after.id, after]));
    const rows = await store.updatePayments(tx, moves);
    const moved = rows.map((row) => ({ row, payment: toPayersView(row, sagas.get(row.id)) }));
    const events = moved.flatMap(({ row, payment }) => eventOf(row, payment, sagas.get(row.id)?.traceparent));
    if (events.length > 0) await outbox.add(tx, events);
    tx.afterCommit(() => {
      for (const { row, payment } of moved) if (isPaymentAtRest(row.state)) ended(row.id, payment);
    });
  };
}
