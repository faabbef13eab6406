import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CollectPaymentResponseSchema,
  InquirePaymentResponseSchema,
  PaymentOutcome,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { CreditAccountResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { create } from "@ferry/platform/codec";
import { checkDefinition, type Replies } from "@ferry/platform/saga/testing";
import { topUp } from "./top-up.ts";

const failure = (code: string) => ({ failure: { code, message: `because ${code}` } });
const { DONE, REFUSED, UNKNOWN, NOT_FOUND } = PaymentOutcome;

/** Banking never says "not done, try again" of a payment: what it cannot tell is unknown. */
const collect: Replies = {
  done: create(CollectPaymentResponseSchema, { outcome: DONE }),
  refused: create(CollectPaymentResponseSchema, { outcome: REFUSED, ...failure("MANDATE_MISSING") }),
  unavailable: "never",
  unknown: create(CollectPaymentResponseSchema, { outcome: UNKNOWN }),
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
const credit: Replies = {
  done: create(CreditAccountResponseSchema, {}),
  refused: create(CreditAccountResponseSchema, failure("ACCOUNT_UNKNOWN")),
  unavailable: create(CreditAccountResponseSchema, failure("UNAVAILABLE")),
};

test("a top-up keeps the laws of sagas, whatever goes wrong", () => {
  const { completed, undone, parked, voided } = checkDefinition(topUp, {
    states: [
      {
        ...{ memberId: "m", accountId: "a", currency: "EUR", amountMinor: "500" },
        ...{ bankCode: "081", accountNumber: "11000001" },
      },
    ],
    steps: { collect: { ask: collect, inquire, void: voidPayment }, credit: { ask: credit } },
  });
  assert.ok(completed > 300 && undone > 20 && voided > 50 && parked > 100, `${completed}, ${undone}, ${parked}`);
});
