import type { Message } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import type { Answer, SagaDefinition, SagaFailure, Step } from "./definition.ts";
import {
  type Circumstances,
  type Decision,
  enterStep,
  park,
  pause,
  phaseOf,
  retryOrPark,
  send,
  stepAt,
  type Turn,
  turnBack,
  undoFrom,
  withRecord,
} from "./moves.ts";
import { hasEnded, type Role, type Saga } from "./saga.ts";

/** What can happen to a saga. */
export type SagaInput =
  | { kind: "started" }
  /** An answer came, for the step of this name. */
  | { kind: "reply"; step: string; reply: Message }
  /** What the saga waits for is due, and the broker had the command for the whole time. */
  | { kind: "timed-out" }
  /** It is due, but the broker did not have the command yet. */
  | { kind: "not-sent-yet" }
  | { kind: "cancel" }
  /** What an operator decides about a parked saga. */
  | { kind: "resume" | "undo" | "skip" };

/**
 * Decides what a saga does next. Whatever does not fit its present state changes nothing: the same saga comes back.
 *
 * @throws FerryError SAGA_NOT_PARKED when an operator decides about a saga that is not parked,
 * INVALID_REQUEST when an operator wants to undo what is past its pivot.
 */
export function advance<State>(
  definition: SagaDefinition<State>,
  saga: Saga<State>,
  input: SagaInput,
  at: Circumstances,
): Decision<State> {
  const turn = { definition, saga: withoutLostTime(saga, at.nowMs), at };
  const decision = decide(turn, input);
  return decision ?? { saga, commands: [] };
}

/** The time since it was due is the time in which nobody looked, as after a crash: it does not count as trying. */
function withoutLostTime<State>(saga: Saga<State>, nowMs: number): Saga<State> {
  const { waiting } = saga;
  if (waiting.for !== "reply" && waiting.for !== "pause") return saga;
  return { ...saga, tryingSinceMs: saga.tryingSinceMs + Math.max(0, nowMs - waiting.dueAtMs) };
}

/** Undefined: nothing changes. */
function decide<State>(turn: Turn<State>, input: SagaInput): Decision<State> | undefined {
  switch (input.kind) {
    case "started":
      return enterStep(turn, 0);
    case "reply":
      return onReply(turn, input.step, input.reply);
    case "timed-out":
      return onTimeout(turn);
    case "not-sent-yet":
      return restartClock(turn);
    case "cancel":
      return canCancel(turn) ? turnBack(turn, CANCELED, false) : undefined;
    case "resume":
    case "undo":
    case "skip":
      return onOperator(turn, input.kind);
    default:
      return input satisfies never;
  }
}

const CANCELED: SagaFailure = { code: "CANCELED_BY_MEMBER", message: "canceled by the member" };

/** Before the pivot was asked a saga can be taken back. */
function canCancel(turn: Turn<unknown>): boolean {
  const { waiting } = turn.saga;
  return waiting.for !== "nothing" && waiting.role === "ask" && phaseOf(turn) === "before-pivot";
}

function roleOf(step: Step<unknown>, typeName: string): Role | undefined {
  if (typeName === step.ask.reply.typeName) return "ask";
  if (typeName === step.undo?.reply.typeName) return "undo";
  return typeName === step.whenUnknown?.reply.typeName ? "inquire" : undefined;
}

function onReply<State>(turn: Turn<State>, stepName: string, reply: Message): Decision<State> | undefined {
  const { saga } = turn;
  if (saga.waiting.for === "nothing" || stepAt(turn).name !== stepName) return undefined;
  const current = stepAt(turn);
  const role = roleOf(current as Step<unknown>, reply.$typeName);
  if (role === undefined || (role === "undo") !== (saga.waiting.role === "undo")) return undefined;
  const exchange = { ask: current.ask, undo: current.undo, inquire: current.whenUnknown }[role] ?? current.ask;
  const answer = exchange.answer(reply, saga);
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
      return role === "ask" ? onNotDone(turn, answer.failure) : retryOrPark(turn, role, answer.failure);
    case "unknown":
      return onUnknown(turn, role, answer.failure);
    case "not-found":
      // Not there now is no proof that it never will be: the same reference is sent again, never undone.
      return role === "inquire" ? retryOrPark(turn, "ask", answer.failure) : onUnknown(turn, role, answer.failure);
    default:
      return answer satisfies never;
  }
}

function onDone<State>(turn: Turn<State>, role: Role, state: State | undefined): Decision<State> {
  const endedAtMs = turn.at.nowMs;
  if (role === "undo") return undoFrom(withRecord(turn, { status: "undone", endedAtMs }), turn.saga.step - 1);
  const done = withRecord(turn, { status: "done", endedAtMs });
  const saga = state === undefined ? done.saga : { ...done.saga, state };
  return enterStep({ ...done, saga }, saga.step + 1);
}

function onRefused<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> | undefined {
  const { saga, at } = turn;
  if (role !== "undo" && phaseOf(turn) !== "after-pivot") {
    // An earlier attempt without answer may still be on its way, so only the first refusal is surely clean.
    return turnBack(turn, failure, saga.attempts === 1);
  }
  if (saga.waiting.for === "operator") return undefined;
  const failed = role === "undo" ? turn : withRecord(turn, { status: "failed" });
  return { saga: park(failed.saga, failure, at.nowMs, role), commands: [] };
}

/** The step was not done and may be tried again. */
function onNotDone<State>(turn: Turn<State>, failure: SagaFailure): Decision<State> {
  if (phaseOf(turn) !== "before-pivot") return retryOrPark(turn, "ask", failure);
  const { retries } = stepAt(turn);
  if (retries === "until-done" || turn.saga.tries <= retries) return pause(turn, "ask");
  return turnBack(turn, failure, false);
}

/** It may be done or not. */
function onUnknown<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> {
  if (role !== "ask") return retryOrPark(turn, role, failure);
  if (stepAt(turn).whenUnknown !== undefined) return retryOrPark(turn, "inquire", failure);
  return onNotDone(turn, failure);
}

function onTimeout<State>(turn: Turn<State>): Decision<State> | undefined {
  const { waiting } = turn.saga;
  switch (waiting.for) {
    case "pause":
      return waiting.dueAtMs > turn.at.nowMs ? undefined : send(turn, waiting.role);
    case "reply": {
      if (waiting.dueAtMs > turn.at.nowMs) return undefined;
      const { name, timeoutMs } = stepAt(turn);
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
function restartClock<State>({ definition, saga, at }: Turn<State>): Decision<State> | undefined {
  const { waiting } = saga;
  if (waiting.for !== "reply" || waiting.dueAtMs > at.nowMs) return undefined;
  const { timeoutMs } = stepAt({ definition, saga, at });
  const tryingSinceMs = Math.min(saga.tryingSinceMs + timeoutMs, at.nowMs);
  return { saga: { ...saga, tryingSinceMs, waiting: { ...waiting, dueAtMs: at.nowMs + timeoutMs } }, commands: [] };
}

function onOperator<State>(turn: Turn<State>, action: "resume" | "undo" | "skip"): Decision<State> {
  const { saga, at } = turn;
  if (saga.waiting.for !== "operator")
    throw new FerryError("SAGA_NOT_PARKED", `the saga is ${hasEnded(saga) ? "at its end" : "under way"}, not parked`);
  const { role, reason } = saga.waiting;
  const anew = { ...turn, saga: { ...saga, tries: 0, tryingSinceMs: at.nowMs } };
  switch (action) {
    case "resume":
      return send(anew, role);
    case "undo":
      if (role === "undo") return send(anew, role);
      if (phaseOf(turn) === "after-pivot")
        throw new FerryError("INVALID_REQUEST", "the saga is past its pivot: it can be resumed or skipped, not undone");
      return turnBack(turn, reason, phaseOf(turn) === "pivot");
    case "skip": {
      // What comes later stands on it: a payment without its hold would have no money behind it.
      if (role !== "undo" && phaseOf(turn) === "before-pivot")
        throw new FerryError("INVALID_REQUEST", "a step before the pivot can be resumed or undone, not skipped");
      const skipped = withRecord(turn, { status: "skipped", endedAtMs: at.nowMs });
      return role === "undo" ? undoFrom(skipped, saga.step - 1) : enterStep(skipped, saga.step + 1);
    }
    default:
      return action satisfies never;
  }
}
