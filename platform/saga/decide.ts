import { isMessage, type Message } from "@bufbuild/protobuf";
import { SagaEndedSchema } from "@ferry/gen/ferry/saga/v1/child_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { type Answer, inquiryOf, type SagaDefinition, type SagaFailure, type Step } from "./definition.ts";
import type { Lane } from "./lanes.ts";
import {
  type Circumstances,
  type Decision,
  enterStep,
  leave,
  lookAgain,
  park,
  pause,
  phaseOf,
  retryOrPark,
  send,
  stay,
  stepAt,
  type Turn,
  turnAllBack,
  turnBack,
  undoFrom,
  withRecord,
} from "./moves.ts";
import { hasEnded, type Role, type Saga, type Waiting } from "./saga.ts";

/** What can happen to a saga. */
export type SagaInput =
  | { kind: "started" }
  /** An answer came, for the step of this name. */
  | { kind: "reply"; step: string; reply: Message }
  /** What the saga waits for is due, and the broker had the command for the whole time. */
  | { kind: "timed-out" }
  /** It is due, but the broker did not have the command yet. */
  | { kind: "not-sent-yet" }
  /** To be taken back if that is still possible; without a failure at the member's wish. */
  | { kind: "cancel"; failure?: SagaFailure }
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
  const decision = decide({ definition, saga: withoutLostTime(saga, at.nowMs), at }, input);
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
      return inLane(turn, input.step, (each) => onReply(each, input.step, input.reply));
    case "timed-out":
      return inEachLane(turn, onTimeout);
    case "not-sent-yet":
      return inEachLane(turn, restartClock);
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

/** The saga as seen from one of several steps that run side by side. */
function seenFrom<State>(turn: Turn<State>, lane: Lane): Turn<State> {
  const { lanes = [], ...saga } = turn.saga;
  const seen = withoutLostTime({ ...saga, ...lane }, turn.at.nowMs);
  return { ...turn, saga: seen, others: lanes.filter((each) => each !== lane) };
}

type Act<State> = (turn: Turn<State>) => Decision<State> | undefined;

/** Acts at the step of this name, among several that run side by side, or at the one at hand. */
function inLane<State>(turn: Turn<State>, name: string, act: Act<State>): Decision<State> | undefined {
  const { lanes } = turn.saga;
  if (lanes === undefined) return act(turn);
  const lane = lanes.find(({ step }) => turn.definition.steps[step]?.name === name);
  return lane === undefined ? undefined : act(seenFrom(turn, lane));
}

/** Acts at each step that runs side by side with others, one after another, or at the one at hand. */
function inEachLane<State>(turn: Turn<State>, act: Act<State>): Decision<State> | undefined {
  const { lanes } = turn.saga;
  if (lanes === undefined) return act(turn);
  let whole: Decision<State> | undefined;
  for (const { step } of lanes) {
    const saga = whole?.saga ?? turn.saga;
    const lane = saga.lanes?.find((each) => each.step === step);
    const decision = lane === undefined ? undefined : act(seenFrom({ ...turn, saga }, lane));
    if (decision === undefined) continue;
    const children = [...(whole?.children ?? []), ...(decision.children ?? [])];
    whole = { saga: decision.saga, commands: [...(whole?.commands ?? []), ...decision.commands], children };
  }
  return whole;
}

function roleOf(step: Step<unknown>, typeName: string): Role | undefined {
  if (typeName === step.ask.reply.typeName) return "ask";
  if (typeName === step.undo?.reply.typeName) return "undo";
  return typeName === inquiryOf(step)?.reply.typeName ? "inquire" : undefined;
}

function onReply<State>(turn: Turn<State>, stepName: string, reply: Message): Decision<State> | undefined {
  const { saga } = turn;
  if (saga.waiting.for === "nothing" || stepAt(turn).name !== stepName) return undefined;
  const current = stepAt(turn);
  const role = roleOf(current as Step<unknown>, reply.$typeName);
  if (role === undefined || (role === "undo") !== (saga.waiting.role === "undo")) return undefined;
  // A reply about a child that was begun at an earlier attempt says nothing about the present one.
  if (isMessage(reply, SagaEndedSchema) && reply.sagaId !== saga.steps[saga.step]?.childId) return undefined;
  const exchange = { ask: current.ask, undo: current.undo, inquire: inquiryOf(current) }[role] ?? current.ask;
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
      return role === "ask" ? onUnavailable(turn, answer.failure) : retryOrPark(turn, role, answer.failure);
    case "unknown":
      return onUnknown(turn, role, answer.failure);
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
  const failed = role === "undo" ? turn : withRecord(turn, { status: "failed" });
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
  if (role === "undo") return retryOrPark(turn, role, failure);
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

function onOperator<State>(turn: Turn<State>, action: "resume" | "undo" | "skip"): Decision<State> {
  const { saga } = turn;
  if (saga.waiting.for !== "operator")
    throw new FerryError("SAGA_NOT_PARKED", `the saga is ${hasEnded(saga) ? "at its end" : "under way"}, not parked`);
  const decision = operated(turn, saga.waiting, action);
  return decision ?? { saga, commands: [] };
}

function operated<State>(turn: Turn<State>, waiting: ForOperator, action: "resume" | "undo" | "skip") {
  switch (action) {
    case "resume":
      return inEachLane(turn, resumeStep);
    case "undo":
      return onOperatorUndo(turn, waiting);
    case "skip":
      return inLane(turn, stepAt(turn).name, skipStep);
    default:
      return action satisfies never;
  }
}

function resumeStep<State>(turn: Turn<State>): Decision<State> | undefined {
  const { waiting, turningBack } = turn.saga;
  if (waiting.for !== "operator") return undefined;
  // What runs beside it has failed meanwhile: it is not asked once more, only to be undone.
  if (turningBack && stepAt(turn).child === undefined) return turnBack(turn, waiting.reason, false);
  return send(tryingAnew(turn), waiting.role);
}

/**
 * Whether an operator is the one who finds out about the step at hand, since it must not be asked again.
 *
 * Elsewhere a step before the pivot is not skipped. What comes later stands on it: a payment without its
 * hold would have no money behind it. And there is no need to: its receiver knows the command by its key,
 * so that who is sure that it was done resumes, and gets the receiver's word for it.
 */
function isOperatorsToFindOut<State>(turn: Turn<State>): boolean {
  return stepAt(turn).whenUnknown === "park" && turn.saga.steps[turn.saga.step]?.status === "unknown";
}

function skipStep<State>(turn: Turn<State>): Decision<State> | undefined {
  const { saga, at } = turn;
  if (saga.waiting.for !== "operator") return undefined;
  const { role } = saga.waiting;
  if (role !== "undo" && phaseOf(turn) === "before-pivot" && !isOperatorsToFindOut(turn))
    throw new FerryError("INVALID_REQUEST", "a step before the pivot can be resumed or undone, not skipped");
  const skipped = withRecord(turn, { status: "skipped", endedAtMs: at.nowMs });
  return role === "undo" ? undoFrom(skipped, saga.step - 1) : leave(skipped);
}

function onOperatorUndo<State>(turn: Turn<State>, { role, reason }: ForOperator): Decision<State> {
  if (role === "undo") return send(tryingAnew(turn), role);
  if (phaseOf(turn) === "after-pivot")
    throw new FerryError("INVALID_REQUEST", "the saga is past its pivot: it can be resumed or skipped, not undone");
  return turnAllBack(tryingAnew(turn), reason, phaseOf(turn) === "pivot");
}

type ForOperator = Extract<Waiting, { for: "operator" }>;

function tryingAnew<State>(turn: Turn<State>): Turn<State> {
  return { ...turn, saga: { ...turn.saga, tries: 0, tryingSinceMs: turn.at.nowMs } };
}
