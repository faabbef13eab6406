import type { Database } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { purgeDeliveries } from "./delivery-store.ts";

/** Longer than topics keep their messages: an event that comes again must find its delivery. */
const KEPT_DAYS = 30;
const CHUNK_ROWS = 2_000;
const PURGE_EVERY_MS = 10 * 60_000;

/** Deletes old deliveries, and those of deleted endpoints, now and then. Several at once do no harm. */
export function createPurger({ database, logger }: { database: Database; logger: Logger }): Component {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  async function purge(): Promise<void> {
    try {
      const deleted = await purgeDeliveries(database, KEPT_DAYS, CHUNK_ROWS);
      if (deleted > 0) logger.info({ deleted }, "old deliveries deleted");
    } catch (error) {
      logger.warn({ error: String(error) }, "deliveries could not be purged now");
    }
  }
  return {
    name: "purger",
    async start() {
      timer = setInterval(() => {
        running = purge();
      }, PURGE_EVERY_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
