import type { Database } from "@ferry/platform/db";
import { type Component, every } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import { purgeDeliveries } from "./delivery-store.ts";

/** Longer than topics keep their messages: an event that comes again must find its delivery. */
const KEPT_DAYS = 30;
const CHUNK_ROWS = 2_000;
const PURGE_EVERY_MS = 10 * 60_000;

/** Deletes old deliveries, and those of deleted endpoints, now and then. Several at once do no harm. */
export function createPurger({ database, logger }: { database: Database; logger: Logger }): Component {
  return every({
    name: "purger",
    periodMs: PURGE_EVERY_MS,
    async work() {
      const deleted = await purgeDeliveries(database, KEPT_DAYS, CHUNK_ROWS);
      if (deleted > 0) logger.info({ deleted }, "old deliveries deleted");
    },
    what: "deliveries could not be purged now",
    logger,
  });
}
