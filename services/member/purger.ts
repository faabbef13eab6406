import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "@ferry/platform/db";
import { type Component, every } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { auditStore } from "./store/audit-store.ts";
import { guessStore } from "./store/guess-store.ts";
import { sessionStore } from "./store/session-store.ts";

const PURGE_EVERY_MS = 10 * 60_000;
const PURGE_CHUNKS = 100;
const PURGE_PAUSE_MS = 100;
/** The database refuses to forget an entry that is younger; an hour more, since the two clocks differ. */
const AUDIT_LIFE_MS = 400 * 24 * 3_600_000 + 3_600_000;

async function purgeAll(purgeChunk: () => Promise<number>, stopping: AbortSignal): Promise<void> {
  for (let chunk = 0; chunk < PURGE_CHUNKS && !stopping.aborted; chunk++) {
    if ((await purgeChunk()) === 0) return;
    await delay(PURGE_PAUSE_MS, undefined, { signal: stopping }).catch(() => {});
  }
}

/**
 * Forgets sessions and refresh tokens that ended, counts of guesses whose window is over, and audit entries of over
 * 400 days: in chunks, with pauses that leave the database its work.
 */
export function createPurger({ database, logger }: { database: Database; logger: Logger }): Component {
  return every({
    name: "purger",
    periodMs: PURGE_EVERY_MS,
    async work(stopping) {
      const nowMs = Date.now();
      await purgeAll(() => sessionStore.purge(database, new Date(nowMs)), stopping);
      await purgeAll(() => guessStore.purge(database, new Date(nowMs)), stopping);
      await purgeAll(() => auditStore.purge(database, new Date(nowMs - AUDIT_LIFE_MS)), stopping);
    },
    what: "what is old was not purged",
    logger,
  });
}
