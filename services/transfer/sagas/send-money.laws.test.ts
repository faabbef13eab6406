import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InquirePaymentResponseSchema,
  PaymentOutcome,
  SendPaymentResponseSchema,
  VerifyAccountResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  PlaceHoldResponseSchema,
  ReleaseHoldResponseSchema,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { create } from "@ferry/platform/codec";
import { checkDefinition, type Replies } from "@ferry/platform/saga/testing";
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

test("sending money to a bank keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone, parked } = checkDefinition(sendMoney, {
    states: [toBank],
    steps: {
      "verify-account": { ask: verify },
      "place-hold": { ask: hold, undo: release },
      send: { ask: send, inquire },
      settle: { ask: settle },
    },
  });
  assert.ok(completed > 1_000 && undone > 300 && parked > 300, `${completed}, ${undone}, ${parked}`);
});

test("moving money within the platform keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone, parked } = checkDefinition(moveMoney, {
    states: [toAccount],
    steps: { "place-hold": { ask: hold, undo: release }, settle: { ask: settle } },
  });
  assert.ok(completed > 200 && undone > 100 && parked > 100, `${completed}, ${undone}, ${parked}`);
});
