import { create, type Message } from "@bufbuild/protobuf";
import {
  InquirePaymentRequestSchema,
  InquirePaymentResponseSchema,
  PaymentOutcome,
  SendPaymentRequestSchema,
  SendPaymentResponseSchema,
  VerifyAccountRequestSchema,
  VerifyAccountResponseSchema,
  VoidPaymentRequestSchema,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  PlaceHoldRequestSchema,
  PlaceHoldResponseSchema,
  ReleaseHoldRequestSchema,
  ReleaseHoldResponseSchema,
  SettleHoldRequestSchema,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { catalogue, type Reason } from "@ferry/platform/errors";
import { defineSaga, exchange, pivot, step } from "./define.ts";
import type { Answer, SagaFailure, SagaSubject } from "./definition.ts";

/** What the example's saga knows. */
export interface ExampleState {
  accountId: string;
  amountMinor: bigint;
  verified?: boolean;
}

type Subject = SagaSubject<ExampleState>;
type WireFailure = { code: string; message: string } | undefined;

function answerOf(failure: WireFailure, done: Answer<ExampleState> = { kind: "done" }): Answer<ExampleState> {
  if (failure === undefined) return done;
  const known = failure as SagaFailure;
  return { kind: catalogue.get(known.code)?.retryable ? "unavailable" : "refused", failure: known };
}

function paymentAnswer(outcome: PaymentOutcome, failure: WireFailure): Answer<ExampleState> {
  const known = (failure ?? { code: "BANK_OUTCOME_UNKNOWN", message: "" }) as SagaFailure;
  if (outcome === PaymentOutcome.DONE) return { kind: "done" };
  if (outcome === PaymentOutcome.NOT_FOUND) return { kind: "not-found", failure: known };
  if (known.code === "BANK_UNAVAILABLE") return { kind: "unavailable", failure: known };
  return { kind: outcome === PaymentOutcome.REFUSED ? "refused" : "unknown", failure: known };
}

const verify = exchange({
  request: VerifyAccountRequestSchema,
  reply: VerifyAccountResponseSchema,
  ask: ({ id }: Subject) => ({ reference: id, account: { bankCode: "081", accountNumber: "1234" } }),
  answer: ({ failure }, { state }) => answerOf(failure, { kind: "done", state: { ...state, verified: true } }),
});
const placeHold = exchange({
  request: PlaceHoldRequestSchema,
  reply: PlaceHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({
    transferId: id,
    sourceAccountId: state.accountId,
    amount: { currency: "EUR", minorUnits: state.amountMinor },
  }),
  answer: ({ failure }) => answerOf(failure),
});
const releaseHold = exchange({
  request: ReleaseHoldRequestSchema,
  reply: ReleaseHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.accountId }),
  answer: ({ failure }) => answerOf(failure),
});
const send = exchange({
  request: SendPaymentRequestSchema,
  reply: SendPaymentResponseSchema,
  ask: ({ id }: Subject) => ({ reference: id }),
  answer: ({ outcome, failure }) => paymentAnswer(outcome, failure),
});
const inquire = exchange({
  request: InquirePaymentRequestSchema,
  reply: InquirePaymentResponseSchema,
  ask: ({ id }: Subject) => ({ reference: id, bankCode: "081" }),
  answer: ({ outcome, failure }) => paymentAnswer(outcome, failure),
});
const voidPayment = exchange({
  request: VoidPaymentRequestSchema,
  reply: VoidPaymentResponseSchema,
  ask: ({ id }: Subject) => ({ reference: id, bankCode: "081" }),
  answer: ({ outcome, failure }) => paymentAnswer(outcome, failure),
});
const settle = exchange({
  request: SettleHoldRequestSchema,
  reply: SettleHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.accountId }),
  answer: ({ failure }) => answerOf(failure),
});

/** The saga that the tests of the engine run: every kind of step is in it. */
export const exampleSaga = defineSaga<ExampleState>("send-money", 1, [
  step("verify-account", { ask: verify, timeoutMs: 1_000, retries: 3 }),
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 1_000, retries: 2 }),
  pivot("send", { ask: send, whenUnknown: inquire, void: voidPayment, timeoutMs: 2_000 }),
  step("settle", { ask: settle, timeoutMs: 1_000, retries: "until-done" }),
]);

const plainReplies = {
  verify: VerifyAccountResponseSchema,
  placeHold: PlaceHoldResponseSchema,
  releaseHold: ReleaseHoldResponseSchema,
  settle: SettleHoldResponseSchema,
};
const stepOfReply = {
  verify: "verify-account",
  placeHold: "place-hold",
  releaseHold: "place-hold",
  settle: "settle",
};

/** A reply with the step that its header names. */
export interface ExampleReply {
  kind: "reply";
  step: string;
  reply: Message;
}

/** A reply of verification or ledger; without a code it is done. */
export function answered(name: keyof typeof plainReplies, code?: Reason): ExampleReply {
  const failure = code === undefined ? undefined : { code, message: `because ${code}` };
  return { kind: "reply", step: stepOfReply[name], reply: create(plainReplies[name], { failure }) };
}

const OUTCOMES = {
  done: [PaymentOutcome.DONE, undefined],
  refused: [PaymentOutcome.REFUSED, "BANK_REFUSED"],
  unknown: [PaymentOutcome.UNKNOWN, "BANK_OUTCOME_UNKNOWN"],
  notFound: [PaymentOutcome.NOT_FOUND, "BANK_REFERENCE_UNKNOWN"],
  unavailable: [PaymentOutcome.UNKNOWN, "BANK_UNAVAILABLE"],
  voided: [PaymentOutcome.REFUSED, "PAYMENT_VOIDED"],
} as const;

const BANK_REPLIES = {
  send: SendPaymentResponseSchema,
  inquire: InquirePaymentResponseSchema,
  void: VoidPaymentResponseSchema,
};

/** A reply about the payment at the bank: to the pivot, to the question what became of it, or to its void. */
export function bankSaid(to: keyof typeof BANK_REPLIES, said: keyof typeof OUTCOMES): ExampleReply {
  const [outcome, code] = OUTCOMES[said];
  const schema = BANK_REPLIES[to];
  const failure = code === undefined ? undefined : { code, message: `because ${code}` };
  return { kind: "reply", step: "send", reply: create(schema, { outcome, failure }) };
}
