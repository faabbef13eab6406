import { childIdOf } from "./child.ts";
import { pivotIndexOf } from "./define.ts";
import {
  type Backoff,
  type ChildSaga,
  type Exchange,
  exchangeOf,
  type SagaDefinition,
  type SagaFailure,
  type Step,
} from "./definition.ts";
import { groupEndOf, type Lane, laneOf, together } from "./lanes.ts";
import type { Role, Saga, StepRecord } from "./saga.ts";

/** A command to be sent. Its message is made by `exchange.ask`. */
export interface SagaCommand<State = unknown> {
  /** The same for every sending of the same attempt. */
  id: string;
  step: string;
  role: Role;
  attempt: number;
  exchange: Exchange<State>;
  /** Only before the pivot, and never on an undo: what does not expire must be voided before it is undone. */
  ttlMs?: number;
}

/** What a saga does about another that it begins, or has begun. */
export type ChildOrder<State = unknown> =
  | { kind: "begin"; id: string; step: string; child: ChildSaga<State> }
  /** It is to be taken back as far as its pivot allows; its end is waited for. */
  | { kind: "cancel"; id: string; step: string; failure: SagaFailure };

/** What is decided: the saga as it is from now on (the same object when nothing changes) and what is sent. */
export interface Decision<State = unknown> {
  saga: Saga<State>;
  commands: readonly SagaCommand<State>[];
  children?: readonly ChildOrder<State>[];
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
  /** As seen from the step at hand: without its lanes. */
  saga: Saga<State>;
  at: Circumstances;
  /** What runs beside the step at hand. Absent when it does not run side by side with others. */
  others?: readonly Lane[];
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

export function recorded<State>(
  saga: Saga<State>,
  change: Partial<StepRecord>,
  step = saga.step,
): readonly StepRecord[] {
  return saga.steps.map((record, index) => (index === step ? { ...record, ...change } : record));
}

export function withRecord<State>(turn: Turn<State>, change: Partial<StepRecord>): Turn<State> {
  return { ...turn, saga: { ...turn.saga, steps: recorded(turn.saga, change) } };
}

/** The step at hand goes on waiting, as one of several where others run beside it. */
export function stay<State>(
  { others }: Turn<State>,
  saga: Saga<State>,
  sent: Partial<Decision<State>> = {},
): Decision<State> {
  const whole = others === undefined ? saga : together(saga, [...others, laneOf(saga)]);
  return { commands: [], ...sent, saga: whole };
}

const RECORD_OF: Record<Role, (record: StepRecord | undefined, nowMs: number) => Partial<StepRecord>> = {
  ask: (record, nowMs) => ({
    status: "running",
    attempts: (record?.attempts ?? 0) + 1,
    startedAtMs: record?.startedAtMs ?? nowMs,
    endedAtMs: undefined,
  }),
  undo: () => ({ status: "undoing" }),
  inquire: () => ({ status: "unknown" }),
  void: () => ({ status: "unknown" }),
};

/** Sends the command of a role and waits for its reply. */
export function send<State>(turn: Turn<State>, role: Role): Decision<State> {
  const { saga, at } = turn;
  const current = stepAt(turn);
  if (role === "ask" && current.child !== undefined) return beginChild(turn, current.child);
  const exchange = exchangeOf(current, role);
  if (exchange === undefined) throw new Error(`step ${current.name} has no ${role}`);
  const attempt = saga.attempts + 1;
  const canExpire = role === "ask" && phaseOf(turn) === "before-pivot";
  const id = `${saga.id}:${current.name}:${role}:${attempt}`;
  const ttl = canExpire ? { ttlMs: current.timeoutMs } : {};
  return stay(turn, asked(turn, role, RECORD_OF[role](saga.steps[saga.step], at.nowMs)), {
    commands: [{ id, step: current.name, role, attempt, exchange, ...ttl }],
  });
}

function asked<State>(turn: Turn<State>, role: Role, change: Partial<StepRecord>): Saga<State> {
  const { saga, at } = turn;
  return {
    ...saga,
    status: role === "undo" ? "undoing" : "running",
    failure: role === "undo" || saga.turningBack ? saga.failure : undefined, // what goes forward again has not failed
    attempts: saga.attempts + 1,
    tries: saga.tries + 1,
    steps: recorded(saga, change),
    waiting: { for: "reply", role, dueAtMs: at.nowMs + stepAt(turn).timeoutMs },
  };
}

/** Begins the saga of the step at hand. One that was begun and has not been heard of is looked at, never begun twice. */
function beginChild<State>(turn: Turn<State>, child: ChildSaga<State>): Decision<State> {
  const { saga, at } = turn;
  const record = saga.steps[saga.step];
  if (record?.childId !== undefined) {
    const saga = asked(turn, "ask", { status: "running", endedAtMs: undefined });
    return stay(turn, { ...saga, waiting: { for: "reply", role: "ask", dueAtMs: at.nowMs } });
  }
  const step = stepAt(turn).name;
  const change = RECORD_OF.ask(record, at.nowMs);
  const id = childIdOf(saga, step, change.attempts ?? 1);
  return stay(turn, asked(turn, "ask", { ...change, childId: id }), { children: [{ kind: "begin", id, step, child }] });
}

/** A child that was not heard of in time is under way, or parked: it is waited for. */
export function lookAgain<State>(turn: Turn<State>): Decision<State> {
  const { saga, at } = turn;
  const { name, timeoutMs } = stepAt(turn);
  const { childId } = saga.steps[saga.step] ?? {};
  const waiting = { for: "reply", role: "ask", dueAtMs: at.nowMs + timeoutMs } as const;
  const { turningBack, failure } = saga;
  const cancel =
    turningBack && failure !== undefined && childId !== undefined
      ? { children: [{ kind: "cancel" as const, id: childId, step: name, failure }] }
      : {};
  return stay(turn, { ...saga, tryingSinceMs: at.nowMs, waiting }, cancel);
}

function pauseMsOf<State>(turn: Turn<State>): number {
  const { saga, at } = turn;
  const { firstMs, maxMs } = stepAt(turn).backoff ?? at.backoff;
  const doubled = firstMs * 2 ** Math.min(saga.tries - 1, 20);
  return Math.round(Math.min(doubled, maxMs) * (1 - at.random / 2));
}

function paused<State>(turn: Turn<State>, role: Role): Saga<State> {
  const { saga, at } = turn;
  const { status } = saga.steps[saga.step] ?? {};
  return {
    ...saga,
    status: role === "undo" ? "undoing" : "running",
    steps: recorded(saga, { status: role === "inquire" ? "unknown" : status }),
    waiting: { for: "pause", role, dueAtMs: at.nowMs + pauseMsOf(turn) },
  };
}

/** Waits a little, then sends the command of a role. */
export function pause<State>(turn: Turn<State>, role: Role): Decision<State> {
  return stay(turn, paused(turn, role));
}

/** Stops and waits for an operator; everything that was done stays as it is. */
export function park<State>(saga: Saga<State>, reason: SagaFailure, nowMs: number, role?: Role): Saga<State> {
  if (saga.waiting.for === "nothing") return saga;
  if (saga.lanes !== undefined)
    return together(
      saga,
      saga.lanes.map((lane) => ({ ...lane, waiting: { for: "operator", role: roleIn(lane), reason, sinceMs: nowMs } })),
    );
  const waiting = { for: "operator", role: role ?? saga.waiting.role, reason, sinceMs: nowMs } as const;
  return { ...saga, status: "parked", failure: saga.failure ?? reason, waiting };
}

function roleIn({ waiting }: Lane): Role {
  return waiting.for === "nothing" ? "ask" : waiting.role;
}

/** Tries the role again after a pause, until it has been tried for too long: then a person must look. */
export function retryOrPark<State>(turn: Turn<State>, role: Role, failure: SagaFailure): Decision<State> {
  const { saga, at } = turn;
  if (at.nowMs - saga.tryingSinceMs < at.parkAfterMs) return pause(turn, role);
  return stay(turn, park(paused(turn, role), failure, at.nowMs, role));
}

/** Begins with a step, or with the next one that is needed; completes the saga when there is none left. */
export function enterStep<State>({ definition, saga, at }: Turn<State>, index: number): Decision<State> {
  let steps = saga.steps;
  for (let start = index; start < definition.steps.length; start = groupEndOf(definition, start)) {
    const needed: number[] = [];
    for (let each = start; each < groupEndOf(definition, start); each++) {
      if (definition.steps[each]?.when?.(saga.state) ?? true) needed.push(each);
      else steps = recorded({ ...saga, steps }, { status: "not-needed" }, each);
    }
    const [first, ...others] = needed;
    if (first === undefined) continue;
    const turn = { definition, at, saga: { ...saga, steps } };
    if (others.length > 0) return sendTogether(turn, needed);
    return send({ ...turn, saga: movedTo(turn, first) }, "ask");
  }
  return {
    saga: { ...saga, steps, status: "completed", failure: undefined, waiting: { for: "nothing" } },
    commands: [],
  };
}

/** Sends the commands of several steps at once. */
function sendTogether<State>(turn: Turn<State>, indexes: readonly number[]): Decision<State> {
  const commands: SagaCommand<State>[] = [];
  const children: ChildOrder<State>[] = [];
  let { saga } = turn;
  for (const index of indexes) {
    const { lanes: others = [], ...rest } = saga;
    const sent = send({ ...turn, saga: movedTo({ ...turn, saga: rest }, index), others }, "ask");
    saga = sent.saga;
    commands.push(...sent.commands);
    children.push(...(sent.children ?? []));
  }
  return { saga, commands, ...(children.length > 0 ? { children } : {}) };
}

/** The saga at another step, which has not been tried yet. */
export function movedTo<State>({ saga, at }: Turn<State>, step: number): Saga<State> {
  return { ...saga, step, attempts: 0, tries: 0, tryingSinceMs: at.nowMs };
}
