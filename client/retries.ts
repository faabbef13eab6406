import { FerryApiError } from "./errors.ts";

/** How often, and after how long, a call that failed is made again. */
export interface RetryLimits {
  /** Attempts after the first. */
  maxRetries: number;
  /** The longest wait before the first retry; it doubles with each, in milliseconds. */
  firstDelayMs: number;
  /** The longest wait by itself, in milliseconds. */
  maxDelayMs: number;
  /** When the API asks for a longer wait than this, the call fails instead, in milliseconds. */
  maxRetryAfterMs: number;
}

export const DEFAULT_RETRIES: RetryLimits = {
  maxRetries: 3,
  firstDelayMs: 200,
  maxDelayMs: 5_000,
  maxRetryAfterMs: 30_000,
};

/** Refused before anything was done, so that any call may come again. */
const NOTHING_DONE: ReadonlySet<string> = new Set(["RATE_LIMITED", "OVERLOADED"]);

/**
 * How long to wait before the next attempt: a random part of a time that doubles (full jitter), never less than the
 * API asks for.
 *
 * @param tried Attempts that have failed, from 1.
 * @returns undefined when the call must not be made again.
 */
export function delayBeforeRetry(
  error: unknown,
  tried: number,
  retrySafe: boolean,
  limits: RetryLimits,
  random: () => number = Math.random,
): number | undefined {
  if (!(error instanceof FerryApiError) || !error.retryable || tried > limits.maxRetries) return undefined;
  if (!retrySafe && !NOTHING_DONE.has(error.code)) return undefined;
  const { retryAfterMs = 0 } = error;
  if (retryAfterMs > limits.maxRetryAfterMs) return undefined;
  const ceilingMs = Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** (tried - 1));
  return retryAfterMs + random() * ceilingMs;
}

/** @throws The signal's reason when it ends the wait. */
export function pause(timeMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      done();
    }, timeMs);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
