import type { SagaFailure } from "./definition.ts";

export type StepStatus = "pending" | "running" | "done" | "failed" | "unknown" | "undoing" | "undone" | "skipped";

/** What became of one step. */
export interface StepRecord {
  name: string;
  status: StepStatus;
  /** How often the step itself was asked; its undo and inquiries do not count. */
  attempts: number;
  /** Unix time in milliseconds. */
  startedAtMs?: number;
  endedAtMs?: number;
}

/**
 * running: steps go forward. undoing: what was done is taken back. completed, undone: ends.
 * parked: waits for an operator.
 */
export type SagaStatus = "running" | "undoing" | "completed" | "undone" | "parked";

/** What a command is to its step: the step itself, its undo, or the question what became of it. */
export type Role = "ask" | "undo" | "inquire";

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
  state: State;
  steps: readonly StepRecord[];
  /** Why it failed, or is parked: the first cause, which stays through the undo. Absent while it goes forward. */
  failure?: SagaFailure;
  createdAtMs: number;
  /** The trace that the saga was begun in; its commands carry it. */
  traceparent?: string;
}

/** When the saga must be looked at again, Unix time in milliseconds; undefined when time changes nothing. */
export function dueAtMsOf({ waiting }: Saga): number | undefined {
  return waiting.for === "reply" || waiting.for === "pause" ? waiting.dueAtMs : undefined;
}

/** Whether the saga has ended: it never changes again. */
export function hasEnded({ status }: Saga): boolean {
  return status === "completed" || status === "undone";
}

/** Name of the step at which the saga is, or at which it ended. */
export function stepNameOf(saga: Saga): string {
  return saga.steps[Math.min(saga.step, saga.steps.length - 1)]?.name ?? "";
}
