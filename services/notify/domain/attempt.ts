import type { DisableReason } from "./endpoint.ts";

/** What came of one try to deliver. */
export interface Outcome {
  /** The status that the endpoint answered; 0 when it did not. */
  status: number;
  /** What went wrong, in a few words; empty when the status says it. */
  problem: string;
  /** What the endpoint's header Retry-After asks for, in milliseconds. */
  retryAfterMs: number | undefined;
}

export interface AttemptRules {
  /** Pauses after each failed attempt but the last, in milliseconds. */
  retryDelaysMs: readonly number[];
  /** How long an endpoint may fail without one success. */
  disableAfterMs: number;
}

export interface AttemptFacts {
  /** Counted from 1. */
  number: number;
  outcome: Outcome;
  /** For how long the endpoint has failed before this, in milliseconds; undefined when it had not. */
  failingForMs: number | undefined;
  /** From 0 to below 1: spreads retries, so that many do not come back at once. */
  random: number;
}

export interface AttemptDecision {
  delivery: { kind: "delivered" } | { kind: "retry"; delayMs: number } | { kind: "dead" };
  endpoint: { kind: "well" } | { kind: "failing" } | { kind: "disable"; reason: DisableReason };
}

/** A retry is put off by up to this part of its pause. */
const JITTER = 0.2;
/** The longest that Retry-After is heeded for: an hour. */
const MAX_RETRY_AFTER_MS = 3_600_000;
const GONE = 410;

export const isSuccess = ({ status }: Pick<Outcome, "status">): boolean => status >= 200 && status < 300;

/** Decides what becomes of a delivery and its endpoint after an attempt. */
export function decideAttempt(facts: AttemptFacts, rules: AttemptRules): AttemptDecision {
  const { outcome, number, failingForMs } = facts;
  if (isSuccess(outcome)) return { delivery: { kind: "delivered" }, endpoint: { kind: "well" } };
  if (outcome.status === GONE) return { delivery: { kind: "dead" }, endpoint: { kind: "disable", reason: "GONE" } };
  const tooLong = failingForMs !== undefined && failingForMs >= rules.disableAfterMs;
  const endpoint: AttemptDecision["endpoint"] = tooLong ? { kind: "disable", reason: "FAILING" } : { kind: "failing" };
  const pauseMs = rules.retryDelaysMs[number - 1];
  if (pauseMs === undefined || tooLong) return { delivery: { kind: "dead" }, endpoint };
  const askedMs = Math.min(outcome.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  const delayMs = Math.round(Math.max(pauseMs, askedMs) * (1 + JITTER * facts.random));
  return { delivery: { kind: "retry", delayMs }, endpoint };
}

/**
 * Reads the header Retry-After (RFC 9110, 10.2.3): seconds, or a date.
 * @returns Milliseconds from now, at least 0; undefined when there is none that makes sense.
 */
export function readRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
