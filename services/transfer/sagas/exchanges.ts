import {
  InquirePaymentRequestSchema,
  InquirePaymentResponseSchema,
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
import { AwaitBatchRequestSchema, AwaitBatchResponseSchema } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { type Answer, exchange, failureOf, plainAnswer, releasedForGood, type SagaSubject } from "@ferry/platform/saga";
import { paymentAnswer } from "./payment-answer.ts";
import { amountOf, bankAccountOf, lineOf, type TransferSagaState } from "./state.ts";

type Subject = SagaSubject<TransferSagaState>;

/** The bank is asked whether the payee's account exists and takes money. */
export const verifyAccount = exchange({
  request: VerifyAccountRequestSchema,
  reply: VerifyAccountResponseSchema,
  ask: ({ id, state }: Subject) => ({ reference: id, account: bankAccountOf(state) }),
  answer: ({ failure }): Answer<TransferSagaState> => {
    const answer = plainAnswer(failure);
    if (answer.kind !== "refused") return answer;
    return { kind: "refused", failure: { code: "ACCOUNT_NOT_VERIFIED", message: answer.failure.message } };
  },
});

export const placeHold = exchange({
  request: PlaceHoldRequestSchema,
  reply: PlaceHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({
    transferId: id,
    sourceAccountId: state.sourceAccountId,
    payerMemberId: state.memberId,
    amount: amountOf(state),
    destinationAccountId: state.destination.kind === "account" ? state.destination.accountId : "",
  }),
  answer: ({ failure }): Answer<TransferSagaState> => plainAnswer(failure),
});

/** Gives the hold back. One that was settled cannot be: that is refused, and a person has to look. */
export const releaseHold = exchange({
  request: ReleaseHoldRequestSchema,
  reply: ReleaseHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.sourceAccountId }),
  answer: ({ failure }): Answer<TransferSagaState> => plainAnswer(failure),
});

/** Comes to the gate of its batch: answered when the batch is decided. Whatever is answered is the batch's last word. */
export const awaitBatch = exchange({
  request: AwaitBatchRequestSchema,
  reply: AwaitBatchResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, batchId: lineOf(state).id, line: lineOf(state).line }),
  answer: ({ failure }): Answer<TransferSagaState> =>
    failure === undefined ? { kind: "done" } : { kind: "refused", failure: failureOf(failure) },
});

export const sendToBank = exchange({
  request: SendPaymentRequestSchema,
  reply: SendPaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({
    reference: id,
    creditor: bankAccountOf(state),
    amount: amountOf(state),
    memo: state.memo,
  }),
  answer: ({ outcome, failure }): Answer<TransferSagaState> => paymentAnswer(outcome, failure),
});

export const inquireAtBank = exchange({
  request: InquirePaymentRequestSchema,
  reply: InquirePaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({ reference: id, bankCode: bankAccountOf(state).bankCode }),
  answer: ({ outcome, failure }): Answer<TransferSagaState> => paymentAnswer(outcome, failure),
});

/** Rules the payment out, at banking: it keeps a tombstone for the reference, and knows what it has sent. */
export const voidAtBank = exchange({
  request: VoidPaymentRequestSchema,
  reply: VoidPaymentResponseSchema,
  ask: ({ id, state }: Subject) => ({ reference: id, bankCode: bankAccountOf(state).bankCode }),
  answer: ({ outcome, failure }): Answer<TransferSagaState> => paymentAnswer(outcome, failure),
});

/**
 * Rules a settle out, at the ledger. The release is what does it: it ends the hold, and a settle that comes later
 * finds it released and moves nothing. One that came before cannot be taken back, and the release says so.
 */
export const voidSettle = exchange({
  request: ReleaseHoldRequestSchema,
  reply: ReleaseHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.sourceAccountId }),
  answer: ({ failure }): Answer<TransferSagaState> => releasedForGood(failure),
});

export const settleHold = exchange({
  request: SettleHoldRequestSchema,
  reply: SettleHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({
    transferId: id,
    sourceAccountId: state.sourceAccountId,
    destination:
      state.destination.kind === "account"
        ? { case: "destinationAccountId" as const, value: state.destination.accountId }
        : { case: "destinationBankAccount" as const, value: bankAccountOf(state) },
  }),
  answer: ({ failure }): Answer<TransferSagaState> => plainAnswer(failure),
});
