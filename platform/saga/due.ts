import type { Database } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import type { ProgressKeeper } from "./progress.ts";
import { type DueSaga, findNextDueMs, lockDueSagas } from "./store.ts";
import { deleteOldStrays } from "./strays.ts";

const CHUNK = 200;
/** When all that is due is locked, another instance is at it, or a reply is. */
const LOCKED_ELSEWHERE_MS = 250;
const CLEAN_UP_MS = 3_600_000;

export interface DueRoundOptions {
  database: Database;
  outbox: Outbox;
  progress: ProgressKeeper;
  pollMs: number;
  now(): number;
}

/** Makes the round that takes on what is due, whichever instance began it; it gives when the next round should be. */
export function createDueRound({ database, outbox, progress, pollMs, now }: DueRoundOptions): () => Promise<number> {
  let cleanUpAtMs = 0;

  async function takeOn(nowMs: number): Promise<number> {
    // Read before the rows are locked: it only grows, so a row never counts as sent when it was not.
    const acknowledgedBelow = await outbox.acknowledgedBelow();
    const isSent = ({ saga, commandXid }: DueSaga) =>
      saga.waiting.for !== "reply" || commandXid === undefined || commandXid < acknowledgedBelow;
    return database.transaction(async (tx) => {
      const due = await lockDueSagas(tx, nowMs, CHUNK);
      const decided = due.map((each) =>
        progress.decideOrPark(each.saga, { kind: isSent(each) ? "timed-out" : "not-sent-yet" }),
      );
      await progress.save(tx, decided);
      return due.length;
    });
  }

  return async () => {
    if (now() >= cleanUpAtMs) {
      await deleteOldStrays(database, now());
      cleanUpAtMs = now() + CLEAN_UP_MS;
    }
    for (;;) {
      const nowMs = now();
      const nextDueMs = await findNextDueMs(database);
      if (nextDueMs === undefined || nextDueMs > nowMs) return Math.min(nextDueMs ?? nowMs + pollMs, nowMs + pollMs);
      if ((await takeOn(nowMs)) === 0) return nowMs + LOCKED_ELSEWHERE_MS;
    }
  };
}
