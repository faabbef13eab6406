import { isMessage, type Message } from "@bufbuild/protobuf";
import { SagaEndedSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { onOperator } from "./by-operator.ts";
import { ROLES } from "./define.ts";
import { type Answer, exchangeOf, inquiryOf, type SagaDefinition, type SagaFailure, type Step } from "./definition.ts";
import { inEachLane, inLane, withoutLostTime } from "./in-lanes.ts";
import {
  type Circumstances,
  type Decision,
  enterStep,
  lookAgain,
  park,
  pause,
  phaseOf,
  retryOrPark,
  send,
  stay,
  stepAt,
  type Turn,
  withRecord,
} from "./moves.ts";
import type { Role, Saga } from "./saga.ts";
import { leave, turnAllBack, turnBack, undoFrom } from "./turn-back.ts";

/** What can happen to a saga. */
export type SagaInput =
  | { kind: "started" }
  /** An answer came, for the step of this name. */
  | { kind: "reply"; step: string; reply: Message }
  /** What the saga waits for is due, and the broker had the command for the whole time. */
  | { kind: "timed-out" }
  /** It is due, but the broker did not have the command yet. A pause is over all the same. */
  | { kind: "not-sent-yet" }
  /** To be taken back if that is still possible; without a failure at the member's wish. */
  | { kind: "cancel"; failure?: SagaFailure }
  /** What an operator decides about a parked saga. */
  | { kind: "resume" | "undo" | "skip" };

/**
 * Decides what a saga does next. Whatever does not fit its present state changes nothing: the same saga comes back.
 *
 * @throws FerryError SAGA_NOT_PARKED when an operator decides about a saga that is not parked,
 * INVALID_REQUEST when an operator wants to undo what is past its pivot, STEP_OUTCOME_UNKNOWN a pivot without `void`.
 */
export function advance<State>(
  definition: SagaDefinition<State>,
  saga: Saga<State>,
  input: SagaInput,
  at: Circumstances,
): Decision<State> {
  const decision = decide({ definition, saga: withoutLostTime(saga, at.nowMs), at }, input);
  return decision ?? { saga, commands: [] };
}

/** Undefined: nothing changes. */
function decide<State>(turn: Turn<State>, input: SagaInput): Decision<State> | undefined {
  switch (input.kind) {
    case "started":
      return enterStep(turn, 0);
    case "reply":
      return inLane(turn, input.step, (each) => onReply(each, input.step, input.reply));
    case "timed-out":
      return inEachLane(turn, onTimeout);
    case "not-sent-yet":
      return inEachLane(turn, (each) => (each.saga.waiting.for === "pause" ? onTimeout(each) : restartClock(each)));
    case "cancel":
      return canCancel(turn) ? turnAllBack(turn, input.failure ?? CANCELED, false) : undefined;
    case "resume":
    case "undo":
    case "skip":
      return onOperator(turn, input.kind);
    default:
      return input satisfies never;
  }
}

export const CANCELED: SagaFailure = { code: "CANCELED_BY_MEMBER", message: "canceled by the member" };

/** Before the pivot was asked a saga can be taken back. */
function canCancel(turn: Turn<unknown>): boolean {
  const { waiting, turningBack } = turn.saga;
  if (waiting.for === "nothing" || turningBack) return false;
  return waiting.role !== "undo" && phaseOf(turn) === "before-pivot";
}

function roleOf(step: Step<unknown>, typeName: string): Role | undefined {
  return ROLES.find((role) => exchangeOf(step, role)?.reply.typeName === typeName);
}

function onReply<State>(turn: Turn<State>, stepName: string, reply: Message): Decision<State> | undefined {
  const { saga } = turn;
  if (saga.waiting.for === "nothing" || stepAt(turn).name !== stepName) return undefined;
  const current = stepAt(turn);
  const role = roleOf(current as Step<unknown>, reply.$typeName);
  if (role === undefined || (role === "undo") !== (saga.waiting.role === "undo")) return undefined;
  // A reply about a child that was begun at an earlier attempt says nothing about the present one.
  if (isMessage(reply, SagaEndedSchema) && reply.sagaId !== saga.steps[saga.step]?.childId) return undefined;
  const answer = (exchangeOf(current, role) ?? current.ask).answer(reply, saga);
  // What is known for good counts whenever it comes; anything less only when it is waited for.
  const isFinal = answer.kind === "done" || answer.kind === "refused";
  const isAwaited = saga.waiting.for === "reply" && saga.waiting.role === role;
  if (!isFinal && !isAwaited) return undefined;
  return onAnswer(turn, role, answer);
}

function onAnswer<State>(turn: Turn<State>, role: Role, answer: Answer<State>): Decision<State> | undefined {
  switch (answer.kind) {
    case "done":
      return onDone(turn, role, "state" in answer ? answer.state : undefined);
    case "refused":
      return onRefused(turn, role, answer.failure);
    case "unavailable":
      return role === "ask" ? onUnavailable(turn, answer.failure) : retryOrPark(turn, role, answer.failure);
    case "unknown":
      return onUnknown(role === "void" ? withRecord(turn, { ruledOut: true }) : turn, role, answer.failure);
    case "not-found":
      // Not there now is no proof that it never will be: the same reference is sent again, never undone.
      return role === "inquire" ? again(turn, "ask", answer.failure) : onUnknown(turn, role, answer.failure);
    default:
      return answer satisfies never;
  }
}

function onDone<State>(turn: Turn<State>, role: Role, state: State | undefined): Decision<State> {
  const endedAtMs = turn.at.nowMs;
  if (role === "undo") return undoFrom(withRecord(turn, { status: "undone", endedAtMs }), turn.saga.step - 1);
  const done = withRecord(turn, { status: "done", endedAtMs });
  return leave(state === undefined ? done : { ...done, saga: { ...done.saga, state } });
}

function onRefused<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> | undefined {
  const { saga } = turn;
  if (role !== "undo" && phaseOf(turn) !== "after-pivot") {
    // An earlier attempt without answer may still be on its way, so only the first refusal is surely clean.
    return turnBack(turn, failure, saga.attempts === 1 || stepAt(turn).child !== undefined);
  }
  if (saga.waiting.for === "operator") return undefined;
  // A child that failed has ended: who resumes begins another.
  const failed = role === "undo" ? turn : withRecord(turn, { status: "failed", childId: undefined });
  return stay(failed, park(failed.saga, failure, turn.at.nowMs, role));
}

/** The step was not done and may be tried again. */
function onUnavailable<State>(turn: Turn<State>, failure: SagaFailure): Decision<State> {
  if (stepAt(turn).child === undefined) return again(turn, "ask", failure);
  return again(withRecord(turn, { childId: undefined }), "ask", failure); // That one has ended: the next is another.
}

/** Tries the step once more, or what became of it: before the pivot as often as it says, from there on for as long as it takes. */
function again<State>(turn: Turn<State>, role: "ask" | "inquire", failure: SagaFailure): Decision<State> {
  if (phaseOf(turn) !== "before-pivot") return retryOrPark(turn, role, failure);
  const { retries, child } = stepAt(turn);
  const mayTry = retries === "until-done" || turn.saga.tries <= retries;
  if (mayTry && !turn.saga.turningBack) return pause(turn, role);
  return turnBack(turn, failure, child !== undefined);
}

/** It may be done or not. */
function onUnknown<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> {
  if (role === "undo" || role === "void") return retryOrPark(turn, role, failure);
  const step = stepAt(turn);
  if (turn.saga.turningBack || step.whenUnknown !== "park")
    return again(turn, inquiryOf(step) === undefined ? "ask" : "inquire", failure);
  const unknown = withRecord(turn, { status: "unknown" });
  return stay(unknown, park(unknown.saga, failure, turn.at.nowMs, "ask"));
}

function onTimeout<State>(turn: Turn<State>): Decision<State> | undefined {
  const { waiting } = turn.saga;
  switch (waiting.for) {
    case "pause":
      return waiting.dueAtMs > turn.at.nowMs ? undefined : send(turn, waiting.role);
    case "reply": {
      if (waiting.dueAtMs > turn.at.nowMs) return undefined;
      const { name, timeoutMs, child } = stepAt(turn);
      if (child !== undefined && waiting.role === "ask") return lookAgain(turn);
      const message = `step ${name} got no answer within ${timeoutMs} ms`;
      return onUnknown(turn, waiting.role, { code: "STEP_TIMED_OUT", message });
    }
    case "operator":
    case "nothing":
      return undefined;
    default:
      return waiting satisfies never;
  }
}

/** A command that the broker did not have yet has all its time before it, and its waiting was no trying. */
function restartClock<State>(turn: Turn<State>): Decision<State> | undefined {
  const { saga, at } = turn;
  const { waiting } = saga;
  if (waiting.for !== "reply" || waiting.dueAtMs > at.nowMs) return undefined;
  const { timeoutMs } = stepAt(turn);
  const tryingSinceMs = Math.min(saga.tryingSinceMs + timeoutMs, at.nowMs);
  return stay(turn, { ...saga, tryingSinceMs, waiting: { ...waiting, dueAtMs: at.nowMs + timeoutMs } });
}
