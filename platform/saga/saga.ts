import type { SagaFailure } from "./definition.ts";

/** skipped: an operator said that it is done. not-needed: its `when` said no, and it was never asked. */
export type StepStatus =
  | "pending"
  | "running"
  | "done"
  | "failed"
  | "unknown"
  | "undoing"
  | "undone"
  | "skipped"
  | "not-needed";

/** What became of one step. */
export interface StepRecord {
  name: string;
  status: StepStatus;
  /** How often the step itself was asked; its undo and inquiries do not count. */
  attempts: number;
  /** Unix time in milliseconds. */
  startedAtMs?: number;
  endedAtMs?: number;
  /** Of a step that begins another saga: that saga's id. */
  childId?: string;
  /** Of a pivot: its receiver has said that it happens no more, and not whether it has happened. */
  ruledOut?: true;
}

/**
 * running: steps go forward. undoing: what was done is taken back. completed, undone: ends.
 * parked: waits for an operator.
 */
export type SagaStatus = "running" | "undoing" | "completed" | "undone" | "parked";

/** What a command is to its step: the step itself, its undo, the question what became of it, or what rules it out. */
export type Role = "ask" | "undo" | "inquire" | "void";

/** What the saga waits for. Times are Unix times in milliseconds. */
export type Waiting =
  /** The answer to the command of this role, at the latest when due. */
  | { for: "reply"; role: Role; dueAtMs: number }
  /** The end of a pause, after which the command of this role is sent. */
  | { for: "pause"; role: Role; dueAtMs: number }
  /** An operator; `role` is what it stopped at. */
  | { for: "operator"; role: Role; reason: SagaFailure; sinceMs: number }
  /** It has ended. */
  | { for: "nothing" };

/** One of several steps that run side by side: the same facts as a saga has of its one step at hand. */
export interface Lane {
  step: number;
  attempts: number;
  tries: number;
  tryingSinceMs: number;
  waiting: Waiting;
}

export interface Saga<State = unknown> {
  id: string;
  definition: string;
  version: number;
  /** Rises by one with each change that is written. */
  revision: number;
  status: SagaStatus;
  /** Index of the step at hand in the definition. */
  step: number;
  /** Commands sent for the step at hand, or for its undo: part of their ids. */
  attempts: number;
  /** As attempts, but counted anew when an operator resumes. */
  tries: number;
  /** Since when the step at hand is tried, less the time in which nobody could try. Unix time in milliseconds. */
  tryingSinceMs: number;
  waiting: Waiting;
  /** The steps at hand, while several run side by side. What stands above is then a summary of them. */
  lanes?: readonly Lane[];
  state: State;
  steps: readonly StepRecord[];
  /** Why it failed, or is parked: the first cause, which stays through the undo. Absent while it goes forward. */
  failure?: SagaFailure;
  /** It has failed, and waits for what is still open at the step at hand before it takes everything back. */
  turningBack?: true;
  /** The saga that began it, and at which step that one waits for its end. */
  parent?: { id: string; step: string };
  createdAtMs: number;
  /** The trace that the saga was begun in; its commands carry it. */
  traceparent?: string;
}

/** When the saga must be looked at again, Unix time in milliseconds; undefined when time changes nothing. */
export function dueAtMsOf({ waiting }: Pick<Saga, "waiting">): number | undefined {
  return waiting.for === "reply" || waiting.for === "pause" ? waiting.dueAtMs : undefined;
}

/** Whether the answer to a command is waited for, at any of the steps at hand. */
export function awaitsReply({ waiting, lanes }: Saga): boolean {
  return lanes === undefined ? waiting.for === "reply" : lanes.some((lane) => lane.waiting.for === "reply");
}

/** Whether the saga has ended: it never changes again. */
export function hasEnded({ status }: Saga): boolean {
  return status === "completed" || status === "undone";
}

/** Name of the step at which the saga is, or at which it ended. */
export function stepNameOf(saga: Saga): string {
  return saga.steps[Math.min(saga.step, saga.steps.length - 1)]?.name ?? "";
}

/** Ids of the sagas that it has begun and whose end it has not heard of. */
export function awaitedChildren({ steps }: Saga): string[] {
  return steps.flatMap(({ status, childId }) => (status === "running" && childId !== undefined ? [childId] : []));
}
