import {
  PlaceHoldRequestSchema,
  PlaceHoldResponseSchema,
  ReleaseHoldRequestSchema,
  ReleaseHoldResponseSchema,
  SettleHoldRequestSchema,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  type Answer,
  child,
  defineSaga,
  exchange,
  pivot,
  plainAnswer,
  releasedForGood,
  type SagaSubject,
  step,
} from "@ferry/platform/saga";
import { isShort, type PaySagaState, topUpStateOf } from "./pay-state.ts";
import type { TopUpSagaState } from "./state.ts";
import { topUp } from "./top-up.ts";

type Subject = SagaSubject<PaySagaState>;

const holdOf = ({ id, state }: Subject) => ({
  transferId: id,
  sourceAccountId: state.sourceAccountId,
  payerMemberId: state.memberId,
  amount: { currency: state.currency, minorUnits: state.amountMinor },
  destinationAccountId: state.merchantAccountId,
});

/**
 * Asks for the money. Where the payment may top up, a lack of money is no refusal but an answer: it says
 * how much is missing, and the ledger does not keep it, so that the same hold can be asked for again.
 */
const placeHold = exchange({
  request: PlaceHoldRequestSchema,
  reply: PlaceHoldResponseSchema,
  ask: (subject: Subject) => ({ ...holdOf(subject), provisional: subject.state.topUp !== undefined }),
  answer: ({ failure, missing }, { state }): Answer<PaySagaState> =>
    failure?.code === "INSUFFICIENT_BALANCE" && missing !== undefined
      ? { kind: "done", state: { ...state, missingMinor: missing.minorUnits } }
      : plainAnswer(failure),
});

/** Asks for the same hold, for good: whoever has spent what was brought in, the payment fails then. */
const placeHoldAgain = exchange({
  request: PlaceHoldRequestSchema,
  reply: PlaceHoldResponseSchema,
  ask: holdOf,
  answer: ({ failure }): Answer<PaySagaState> => plainAnswer(failure),
});

/**
 * Gives the hold back. It comes for a payment that was only told what is missing, too: the ledger may hear
 * that first question once more, and would find the money then.
 */
const releaseHold = exchange({
  request: ReleaseHoldRequestSchema,
  reply: ReleaseHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.sourceAccountId }),
  answer: ({ failure }): Answer<PaySagaState> => plainAnswer(failure),
});

const settleHold = exchange({
  request: SettleHoldRequestSchema,
  reply: SettleHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({
    transferId: id,
    sourceAccountId: state.sourceAccountId,
    destination: { case: "destinationAccountId" as const, value: state.merchantAccountId },
  }),
  answer: ({ failure }): Answer<PaySagaState> => plainAnswer(failure),
});

/**
 * Rules a settle out, at the ledger. The release is what does it: it ends the hold, and a settle that comes later
 * finds it released and moves nothing. One that came before cannot be taken back, and the release says so.
 */
const voidSettle = exchange({
  request: ReleaseHoldRequestSchema,
  reply: ReleaseHoldResponseSchema,
  ask: ({ id, state }: Subject) => ({ transferId: id, sourceAccountId: state.sourceAccountId }),
  answer: ({ failure }): Answer<PaySagaState> => releasedForGood(failure),
});

/** The saga of the top-up that a payment begins. @throws when it begins none: its step is not needed then. */
function beginTopUp({ id, state }: Subject): TopUpSagaState {
  const begun = topUpStateOf(state);
  if (begun === undefined) throw new Error(`payment ${id} has no top-up`);
  return begun;
}

/**
 * Pays a merchant on the platform, with a top-up in between where the balance is too low. A top-up has no
 * undo: what it brought is the member's own, whatever becomes of the payment.
 */
export const pay = defineSaga<PaySagaState>("pay", 1, [
  step("place-hold", { ask: placeHold, undo: releaseHold, timeoutMs: 10_000, retries: 3 }),
  child("top-up", { saga: topUp, when: (state) => topUpStateOf(state) !== undefined, begin: beginTopUp }),
  step("place-hold-again", { ask: placeHoldAgain, undo: releaseHold, when: isShort, timeoutMs: 10_000, retries: 3 }),
  pivot("settle", { ask: settleHold, void: voidSettle, timeoutMs: 10_000 }),
]);
