import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { auditStore } from "./store/audit-store.ts";
import { guessStore } from "./store/guess-store.ts";
import { sessionStore } from "./store/session-store.ts";

const PURGE_EVERY_MS = 10 * 60_000;
const PURGE_CHUNKS = 100;
const PURGE_PAUSE_MS = 100;
/** The database refuses to forget an entry that is younger; an hour more, since the two clocks differ. */
const AUDIT_LIFE_MS = 400 * 24 * 3_600_000 + 3_600_000;

/**
 * Forgets sessions and refresh tokens that ended, counts of guesses whose window is over, and audit entries of over
 * 400 days: in chunks, with pauses that leave the database its work.
 */
export function createPurger({ database, logger }: { database: Database; logger: Logger }): Component {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  async function purgeAll(purgeChunk: () => Promise<number>): Promise<void> {
    for (let chunk = 0; chunk < PURGE_CHUNKS && !stopping.signal.aborted; chunk++) {
      if ((await purgeChunk()) === 0) return;
      await delay(PURGE_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  async function purge(): Promise<void> {
    const nowMs = Date.now();
    await purgeAll(() => sessionStore.purge(database, new Date(nowMs)));
    await purgeAll(() => guessStore.purge(database, new Date(nowMs)));
    await purgeAll(() => auditStore.purge(database, new Date(nowMs - AUDIT_LIFE_MS)));
  }

  return {
    name: "purger",
    async start() {
      timer = setInterval(() => {
        running = purge().catch((error) => logger.warn({ error: String(error) }, "what is old was not purged"));
      }, PURGE_EVERY_MS);
    },
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}
