import type { Database } from "@ferry/platform/db";
import { createAlarm } from "@ferry/platform/lifecycle";
import { counter, type Logger } from "@ferry/platform/telemetry";
import { deleteEnded } from "./store.ts";

/** An ended saga answers repeated requests and late replies; both are over after 7 days. */
const LEAST_KEPT_MS = 7 * 24 * 3_600_000;
const CHUNK = 500;
/** Between two chunks, so that 10,000 a second is the most that is deleted, and others get their turn. */
const PAUSE_MS = 50;
const IDLE_MS = 60_000;

const deletedTotal = counter("ferry_sagas_deleted_total", "Ended sagas that were deleted, their time being over.", [
  "group",
]);

export interface RetentionOptions {
  database: Database;
  /** How long an ended saga is kept, in milliseconds. */
  keepEndedMs: number;
  /** Names the engine in the metrics. */
  group: string;
  logger: Logger;
  now(): number;
}

/**
 * Deletes sagas whose end is long past, 500 at a time, off the way of those that are under way. A child goes
 * with its parent or after it, for the parent may still look at it. What operators decided about them stays.
 *
 * @throws Error when they are kept for less than 7 days.
 */
export function createRetention({ database, keepEndedMs, group, logger, now }: RetentionOptions) {
  if (keepEndedMs < LEAST_KEPT_MS)
    throw new Error(`keepEndedMs is ${keepEndedMs}: ended sagas are kept for ${LEAST_KEPT_MS} ms at least`);
  let deleted = 0;
  let hide = () => {};
  const alarm = createAlarm({
    async ring() {
      const count = await deleteEnded(database, now() - keepEndedMs, CHUNK);
      deleted += count;
      return now() + (count === CHUNK ? PAUSE_MS : IDLE_MS);
    },
    what: "ended sagas could not be deleted",
    ...{ pollMs: IDLE_MS, logger, now },
  });
  return {
    start(): void {
      hide = deletedTotal.from(() => [{ labels: { group }, value: deleted }]);
      alarm.start();
    },
    async stop(): Promise<void> {
      hide();
      await alarm.stop();
    },
  };
}
