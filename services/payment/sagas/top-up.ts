import {
  CollectPaymentRequestSchema,
  CollectPaymentResponseSchema,
  InquirePaymentRequestSchema,
  InquirePaymentResponseSchema,
  VoidPaymentRequestSchema,
  VoidPaymentResponseSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { CreditAccountRequestSchema, CreditAccountResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { type Answer, defineSaga, exchange, pivot, plainAnswer, type SagaSubject, step } from "@ferry/platform/saga";
import { paymentAnswer } from "./payment-answer.ts";
import type { TopUpSagaState } from "./state.ts";

type Subject = SagaSubject<TopUpSagaState>;

const amountOf = (state: TopUpSagaState) => ({ currency: state.currency, minorUnits: BigInt(state.amountMinor) });
const bankAccountOf = ({ bankCode, accountNumber }: TopUpSagaState) => ({ bankCode, accountNumber });

const collect = exchange({
  request: CollectPaymentRequestSchema,
  reply: CollectPaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({
    reference: id,
    debtor: bankAccountOf(state),
    amount: amountOf(state),
    memberId: state.memberId,
  }),
  answer: ({ outcome, failure }): Answer<TopUpSagaState> => paymentAnswer(outcome, failure),
});

const inquireAtBank = exchange({
  request: InquirePaymentRequestSchema,
  reply: InquirePaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({ reference: id, bankCode: state.bankCode }),
  answer: ({ outcome, failure }): Answer<TopUpSagaState> => paymentAnswer(outcome, failure),
});

/** Rules the collection out, at banking, which keeps a tombstone for the reference: money that nobody would book. */
const voidAtBank = exchange({
  request: VoidPaymentRequestSchema,
  reply: VoidPaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({ reference: id, bankCode: state.bankCode }),
  answer: ({ outcome, failure }): Answer<TopUpSagaState> => paymentAnswer(outcome, failure),
});

const credit = exchange({
  request: CreditAccountRequestSchema,
  reply: CreditAccountResponseSchema,
  ask: ({ id, state }: Subject) => ({
    reference: id,
    accountId: state.accountId,
    amount: amountOf(state),
    source: bankAccountOf(state),
  }),
  answer: ({ failure }): Answer<TopUpSagaState> => plainAnswer(failure),
});

/** Brings money in: the bank gives it under the member's mandate (from then on there is no way back), and it is booked until it is there. */
export const topUp = defineSaga<TopUpSagaState>("top-up", 1, [
  pivot("collect", { ask: collect, whenUnknown: inquireAtBank, void: voidAtBank, timeoutMs: 10_000 }),
  step("credit", { ask: credit, timeoutMs: 10_000, retries: "until-done" }),
]);
