import { setTimeout as delay } from "node:timers/promises";
import { fromUnknown } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import { deadLetterOf, shortText } from "./dead-letters.ts";
import { countDeadLetter } from "./metrics.ts";
import type { OutgoingRecord, ReceivedRecord } from "./types.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** How often a set that fails for good is tried as a whole, before it is halved. */
const ATTEMPTS = 3;
const ATTEMPT_PAUSE_MS = 20;

export interface SetHandling {
  group: string;
  logger: Logger;
  handle(set: readonly ReceivedRecord[]): Promise<void>;
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  /** Gives the set up at the next failure or pause: the group is left, or has moved on. */
  signal: AbortSignal;
  /** Told when a pause begins, with what failed, and when the handler succeeds again. */
  onPause?(reason: string | undefined): void;
}

/** Waits; doubles from 100 ms to 5 s, with jitter so that many do not come back at once. @returns false when given up. */
export async function pause(attempt: number, signal: AbortSignal): Promise<boolean> {
  const limit = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
  return waitOrAbort(limit * (0.5 + Math.random() / 2), signal);
}

async function waitOrAbort(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/** Runs until it succeeds as long as what fails is retryable. @returns the error that is final, or "done" or "given-up". */
async function persist(run: () => Promise<void>, handling: SetHandling): Promise<"done" | "given-up" | Error> {
  for (let attempt = 0; ; attempt++) {
    try {
      await run();
      if (attempt > 0) handling.onPause?.(undefined);
      return "done";
    } catch (error) {
      const failure = fromUnknown(error);
      if (handling.signal.aborted) return "given-up";
      if (!failure.retryable) {
        handling.onPause?.(undefined);
        return error instanceof Error ? error : failure;
      }
      handling.onPause?.(shortText(failure));
      const fields = { group: handling.group, attempt, error: shortText(failure) };
      handling.logger.warn(fields, "messages wait for what the handler stands on");
      if (!(await pause(attempt, handling.signal))) return "given-up";
    }
  }
}

async function bury(record: ReceivedRecord, error: Error, handling: SetHandling): Promise<boolean> {
  const { topic, partition, offset } = record;
  const fields = { group: handling.group, topic, partition, offset: String(offset), error: shortText(error) };
  handling.logger.error({ ...fields, stack: error.stack }, "message goes to the dead letters");
  for (let attempt = 0; ; attempt++) {
    try {
      await handling.publish([deadLetterOf(record, handling.group, error)]);
      countDeadLetter(handling.group);
      return true;
    } catch (failure) {
      handling.logger.warn({ ...fields, error: shortText(failure) }, "dead letters cannot be reached");
      if (!(await pause(attempt, handling.signal))) return false;
    }
  }
}

/** Tries a set, then its halves, until the culprit is alone. */
async function divide(set: readonly ReceivedRecord[], attempts: number, handling: SetHandling): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await persist(() => handling.handle(set), handling);
    if (outcome === "done") return true;
    if (outcome === "given-up") return false;
    if (attempt < attempts) {
      handling.logger.warn({ group: handling.group, size: set.length, error: shortText(outcome) }, "set failed");
      if (!(await waitOrAbort(ATTEMPT_PAUSE_MS, handling.signal))) return false;
    } else if (set.length === 1) return bury(set[0]!, outcome, handling);
    else break;
  }
  const middle = Math.ceil(set.length / 2);
  return (await divide(set.slice(0, middle), 1, handling)) && (await divide(set.slice(middle), 1, handling));
}

/**
 * Hands a set to its handler until every record of it is handled, or in the dead letters.
 *
 * @returns false when it was given up before: nothing of it may be committed.
 */
export async function handleSet(set: readonly ReceivedRecord[], handling: SetHandling): Promise<boolean> {
  return set.length === 0 || divide(set, ATTEMPTS, handling);
}
