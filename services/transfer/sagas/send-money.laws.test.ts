import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InquirePaymentResponseSchema,
  PaymentOutcome,
  SendPaymentResponseSchema,
  VerifyAccountResponseSchema,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  PlaceHoldResponseSchema,
  ReleaseHoldResponseSchema,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { AwaitBatchResponseSchema } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { create } from "@ferry/platform/codec";
import { defineSaga, type SagaDefinition } from "@ferry/platform/saga";
import { checkDefinition, type Replies } from "@ferry/platform/saga/testing";
import { GATE, moveInBatch, sendInBatch } from "./send-in-batch.ts";
import { moveMoney, sendMoney } from "./send-money.ts";
import type { TransferSagaState } from "./state.ts";

const toBank: TransferSagaState = {
  ...{ memberId: "m", sourceAccountId: "a", currency: "EUR", amountMinor: "1250", memo: "rent" },
  destination: { kind: "bank", bankCode: "081", accountNumber: "20000001" },
};
const toAccount: TransferSagaState = { ...toBank, destination: { kind: "account", accountId: "b" } };

const failure = (code: string) => ({ failure: { code, message: `because ${code}` } });
const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = PaymentOutcome;

const verify: Replies = {
  done: create(VerifyAccountResponseSchema, {}),
  refused: create(VerifyAccountResponseSchema, failure("BANK_ACCOUNT_CLOSED")),
  unavailable: create(VerifyAccountResponseSchema, failure("BANK_UNAVAILABLE")),
};
const hold: Replies = {
  done: create(PlaceHoldResponseSchema, {}),
  refused: create(PlaceHoldResponseSchema, failure("INSUFFICIENT_BALANCE")),
  unavailable: create(PlaceHoldResponseSchema, failure("EXPIRED")),
};
const release: Replies = {
  done: create(ReleaseHoldResponseSchema, {}),
  refused: create(ReleaseHoldResponseSchema, failure("HOLD_SETTLED")),
  unavailable: create(ReleaseHoldResponseSchema, failure("UNAVAILABLE")),
};
const settle: Replies = {
  done: create(SettleHoldResponseSchema, {}),
  refused: create(SettleHoldResponseSchema, failure("HOLD_UNKNOWN")),
  unavailable: create(SettleHoldResponseSchema, failure("OVERLOADED")),
};
/** Banking never says "not done, try again" of a payment: what it cannot tell is unknown. */
const send: Replies = {
  done: create(SendPaymentResponseSchema, { outcome: DONE }),
  refused: create(SendPaymentResponseSchema, { outcome: REFUSED, ...failure("BANK_REFUSED") }),
  unavailable: "never",
  unknown: create(SendPaymentResponseSchema, { outcome: UNKNOWN }),
};
const inquire: Replies = {
  done: create(InquirePaymentResponseSchema, { outcome: DONE }),
  refused: create(InquirePaymentResponseSchema, { outcome: REFUSED }),
  unavailable: "never",
  unknown: create(InquirePaymentResponseSchema, { outcome: UNKNOWN }),
  notFound: create(InquirePaymentResponseSchema, { outcome: NOT_FOUND }),
};
const voidPayment: Replies = {
  done: create(VoidPaymentResponseSchema, { outcome: DONE }),
  refused: create(VoidPaymentResponseSchema, { outcome: REFUSED, ...failure("PAYMENT_VOIDED") }),
  unavailable: "never",
  unknown: create(VoidPaymentResponseSchema, { outcome: UNKNOWN, ...failure("BANK_OUTCOME_UNKNOWN") }),
};
/** A release that comes after the settle cannot be done: so the settle was. */
const voidSettle: Replies = {
  done: create(ReleaseHoldResponseSchema, failure("HOLD_RELEASED")),
  refused: create(ReleaseHoldResponseSchema, {}),
  unavailable: "never",
  unknown: create(ReleaseHoldResponseSchema, failure("UNAVAILABLE")),
};

test("sending money to a bank keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone, parked, voided } = checkDefinition(sendMoney, {
    states: [toBank],
    steps: {
      "verify-account": { ask: verify },
      "place-hold": { ask: hold, undo: release },
      send: { ask: send, inquire, void: voidPayment },
      settle: { ask: settle },
    },
  });
  assert.ok(voided > 50, `${voided}`);
  assert.ok(completed > 1_000 && undone > 300 && parked > 300, `${completed}, ${undone}, ${parked}`);
});

/** The batch's verdict; until it is known there is no answer. */
const gate: Replies = {
  done: create(AwaitBatchResponseSchema, {}),
  refused: create(AwaitBatchResponseSchema, failure("BATCH_FAILED")),
  unavailable: "never",
};
/** The table with a gate that gives up: the real one asks until its batch, which has a time of its own, has answered. */
function withPatience<State>({ name, version, steps }: SagaDefinition<State>): SagaDefinition<State> {
  return defineSaga(
    name,
    version,
    steps.map((step) => (step.name === GATE ? { ...step, retries: 3 } : step)),
  );
}
const inBatch = (state: TransferSagaState) => ({ ...state, batch: { id: "b", line: 1 } });

test("a line of an all-or-nothing batch keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone } = checkDefinition(withPatience(sendInBatch), {
    states: [inBatch(toBank)],
    steps: {
      "verify-account": { ask: verify },
      "place-hold": { ask: hold, undo: release },
      "await-batch": { ask: gate },
      send: { ask: send, inquire, void: voidPayment },
      settle: { ask: settle },
    },
  });
  const moved = checkDefinition(withPatience(moveInBatch), {
    states: [inBatch(toAccount)],
    steps: {
      "place-hold": { ask: hold, undo: release },
      "await-batch": { ask: gate },
      settle: { ask: settle, void: voidSettle },
    },
  });
  assert.ok(completed > 1_000 && undone > 300 && moved.completed > 200 && moved.undone > 100);
});

test("moving money within the platform keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone, parked, voided } = checkDefinition(moveMoney, {
    states: [toAccount],
    steps: { "place-hold": { ask: hold, undo: release }, settle: { ask: settle, void: voidSettle } },
  });
  assert.ok(voided > 20, `${voided}`);
  assert.ok(completed > 200 && undone > 100 && parked > 100, `${completed}, ${undone}, ${parked}`);
});
