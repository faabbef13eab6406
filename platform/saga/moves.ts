import { pivotIndexOf } from "./define.ts";
import type { Exchange, SagaDefinition, SagaFailure, Step } from "./definition.ts";
import type { Role, Saga, StepRecord } from "./saga.ts";

/** A command to be sent. Its message is made by `exchange.ask`. */
export interface SagaCommand<State = unknown> {
  /** The same for every sending of the same attempt. */
  id: string;
  step: string;
  role: Role;
  attempt: number;
  exchange: Exchange<State>;
  /** Only before the pivot, and never on an undo. */
  ttlMs?: number;
}

/** What is decided: the saga as it is from now on (the same object when nothing changes) and what is sent. */
export interface Decision<State = unknown> {
  saga: Saga<State>;
  commands: readonly SagaCommand<State>[];
}

export interface Backoff {
  /** The first pause; it doubles with each further try. */
  firstMs: number;
  /** The longest pause. */
  maxMs: number;
}

/** Everything that a decision needs beside the saga: time and chance are arguments. */
export interface Circumstances {
  /** Unix time in milliseconds. */
  nowMs: number;
  /** From 0 to 1: takes up to half of a pause away, so that sagas that failed together do not come back together. */
  random: number;
  /** How long one step is tried before a person is called, in milliseconds. */
  parkAfterMs: number;
  backoff: Backoff;
}

/** One saga at one moment. */
export interface Turn<State> {
  definition: SagaDefinition<State>;
  saga: Saga<State>;
  at: Circumstances;
}

export function stepAt<State>({ definition, saga }: Turn<State>): Step<State> {
  const found = definition.steps[saga.step];
  if (found === undefined) throw new Error(`saga ${saga.id} has no step ${saga.step}`);
  return found;
}

export type Phase = "before-pivot" | "pivot" | "after-pivot";

export function phaseOf<State>({ definition, saga }: Turn<State>): Phase {
  const pivotIndex = pivotIndexOf(definition as SagaDefinition<unknown>);
  if (saga.step === pivotIndex) return "pivot";
  return saga.step < pivotIndex ? "before-pivot" : "after-pivot";
}

function recorded<State>(saga: Saga<State>, change: Partial<StepRecord>): readonly StepRecord[] {
  return saga.steps.map((record, index) => (index === saga.step ? { ...record, ...change } : record));
}

export function withRecord<State>(turn: Turn<State>, change: Partial<StepRecord>): Turn<State> {
  return { ...turn, saga: { ...turn.saga, steps: recorded(turn.saga, change) } };
}

/** Sends the command of a role and waits for its reply. */
export function send<State>(turn: Turn<State>, role: Role): Decision<State> {
  const { saga, at } = turn;
  const current = stepAt(turn);
  const exchange = { ask: current.ask, undo: current.undo, inquire: current.whenUnknown }[role];
  if (exchange === undefined) throw new Error(`step ${current.name} has no ${role}`);
  const attempt = saga.attempts + 1;
  const record = saga.steps[saga.step];
  const change: Record<Role, Partial<StepRecord>> = {
    ask: {
      status: "running",
      attempts: (record?.attempts ?? 0) + 1,
      startedAtMs: record?.startedAtMs ?? at.nowMs,
      endedAtMs: undefined,
    },
    undo: { status: "undoing" },
    inquire: { status: "unknown" },
  };
  const canExpire = role === "ask" && phaseOf(turn) === "before-pivot";
  return {
    saga: {
      ...saga,
      status: role === "undo" ? "undoing" : "running",
      failure: role === "undo" ? saga.failure : undefined, // what goes forward again has not failed
      attempts: attempt,
      tries: saga.tries + 1,
      steps: recorded(saga, change[role]),
      waiting: { for: "reply", role, dueAtMs: at.nowMs + current.timeoutMs },
    },
    commands: [
      {
        id: `${saga.id}:${current.name}:${role}:${attempt}`,
        step: current.name,
        role,
        attempt,
        exchange,
        ...(canExpire ? { ttlMs: current.timeoutMs } : {}),
      },
    ],
  };
}

function pauseMsOf({ saga, at }: Turn<unknown>): number {
  const doubled = at.backoff.firstMs * 2 ** Math.min(saga.tries - 1, 20);
  return Math.round(Math.min(doubled, at.backoff.maxMs) * (1 - at.random / 2));
}

/** Waits a little, then sends the command of a role. */
export function pause<State>(turn: Turn<State>, role: Role): Decision<State> {
  const { saga, at } = turn;
  const { status } = saga.steps[saga.step] ?? {};
  return {
    saga: {
      ...saga,
      status: role === "undo" ? "undoing" : "running",
      steps: recorded(saga, { status: role === "inquire" ? "unknown" : status }),
      waiting: { for: "pause", role, dueAtMs: at.nowMs + pauseMsOf(turn) },
    },
    commands: [],
  };
}

/** Stops and waits for an operator; everything that was done stays as it is. */
export function park<State>(saga: Saga<State>, reason: SagaFailure, nowMs: number, role?: Role): Saga<State> {
  if (saga.waiting.for === "nothing") return saga;
  const waiting = { for: "operator", role: role ?? saga.waiting.role, reason, sinceMs: nowMs } as const;
  return { ...saga, status: "parked", failure: saga.failure ?? reason, waiting };
}

/** Tries the role again after a pause, until it has been tried for too long: then a person must look. */
export function retryOrPark<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> {
  const { saga, at } = turn;
  if (at.nowMs - saga.tryingSinceMs < at.parkAfterMs) return pause(turn, role);
  return { saga: park(pause(turn, role).saga, failure, at.nowMs, role), commands: [] };
}

/** Begins with a step, or completes the saga when there is none left. */
export function enterStep<State>(turn: Turn<State>, index: number): Decision<State> {
  if (index >= turn.definition.steps.length)
    return {
      saga: { ...turn.saga, status: "completed", failure: undefined, waiting: { for: "nothing" } },
      commands: [],
    };
  return send({ ...turn, saga: movedTo(turn, index) }, "ask");
}

/** Takes back the last step, from this index down, that may have had an effect; ends the saga when there is none. */
export function undoFrom<State>(turn: Turn<State>, index: number): Decision<State> {
  const { definition, saga } = turn;
  for (let candidate = index; candidate >= 0; candidate--) {
    const status = saga.steps[candidate]?.status;
    const mayHaveEffect = status === "done" || status === "unknown" || status === "skipped";
    if (definition.steps[candidate]?.undo !== undefined && mayHaveEffect)
      return send({ ...turn, saga: movedTo(turn, candidate) }, "undo");
  }
  return { saga: { ...saga, status: "undone", waiting: { for: "nothing" } }, commands: [] };
}

function movedTo<State>({ saga, at }: Turn<State>, step: number): Saga<State> {
  return { ...saga, step, attempts: 0, tries: 0, tryingSinceMs: at.nowMs };
}

/**
 * Turns back: the step at hand has failed, and what was done before it is taken back in reverse.
 *
 * @param withoutEffect Whether it is sure that the step at hand did nothing. If not, it is undone too.
 */
export function turnBack<State>(turn: Turn<State>, failure: SagaFailure, withoutEffect: boolean): Decision<State> {
  const undoneToo = !withoutEffect && stepAt(turn).undo !== undefined;
  const failed = withRecord(turn, { status: undoneToo ? "unknown" : "failed", endedAtMs: turn.at.nowMs });
  return undoFrom({ ...failed, saga: { ...failed.saga, failure } }, turn.saga.step);
}
