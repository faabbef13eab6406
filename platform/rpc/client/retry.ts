import type { FerryError } from "@ferry/platform/errors";
import { UpstreamIll } from "@ferry/platform/upstream";
import type { CallSignal } from "./call-signal.ts";
import { NoConnection } from "./sessions.ts";

/** Tries after the first. */
const MAX_RETRIES = 2;
const FIRST_BACKOFF_MS = 50;
/** A server that wants to be left alone for longer is left alone. */
const LONGEST_BACKOFF_MS = 1_000;
const BUDGET_RATIO = 0.1;
const BUDGET_CAP = 10;

/** Retries may be a tenth of the calls of a channel, so that they never double the load on a peer that fails. */
export class RetryBudget {
  private tokens = BUDGET_CAP;

  /** Counts a call, which earns a tenth of a retry. */
  earn(): void {
    this.tokens = Math.min(BUDGET_CAP, this.tokens + BUDGET_RATIO);
  }

  /** Takes one retry; false when there is none left. */
  spend(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

/** Runs a call, and again at most twice, after UNAVAILABLE only, within the deadline and the budget. */
export function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  return attempt().catch((error: FerryError) => again(attempt, options, error));
}

interface RetryOptions {
  budget: RetryBudget;
  deadlineAtMs: number;
  signal: CallSignal | undefined;
}

/** The tries after the first, which alone is on the way of a call that goes well. */
async function again<T>(attempt: () => Promise<T>, options: RetryOptions, first: FerryError): Promise<T> {
  const { budget, deadlineAtMs, signal } = options;
  let error = first;
  for (let retries = 0; ; retries++) {
    const waitMs = backoffMs(error, retries);
    if (waitMs === undefined || Date.now() + waitMs >= deadlineAtMs || !budget.spend()) throw error;
    // An abort ends the pause early; the next attempt then says why it was aborted.
    await pause(waitMs, signal);
    try {
      return await attempt();
    } catch (next) {
      error = next as FerryError;
    }
  }
}

function pause(waitMs: number, signal: CallSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted === true) end();
  });
}

/** How long to wait before the next try; undefined when there must be none. */
function backoffMs(error: FerryError, retries: number): number | undefined {
  if (error.entry.grpcCode !== UNAVAILABLE || retries >= MAX_RETRIES) return undefined;
  if (error instanceof NoConnection || error instanceof UpstreamIll) return undefined;
  const jittered = FIRST_BACKOFF_MS * 2 ** retries * (0.5 + Math.random());
  const waitMs = Math.max(jittered, error.retryAfterMs ?? 0);
  return waitMs > LONGEST_BACKOFF_MS ? undefined : waitMs;
}

const UNAVAILABLE = 14;
