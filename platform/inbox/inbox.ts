import type { Database } from "@ferry/platform/db";
import { type Component, every } from "@ferry/platform/lifecycle";
import type { Logger } from "@ferry/platform/telemetry";
import type { Inbox } from "./types.ts";

const ADMIT = `
  INSERT INTO inbox (consumer, message_id)
  SELECT $1, id FROM unnest($2::text[]) AS id
  ON CONFLICT DO NOTHING
  RETURNING message_id`;

/** Eight days are longer than the seven that topics keep their messages. */
const KEPT_DAYS = 8;
const CHUNK_ROWS = 5_000;
const PURGE_EVERY_MS = 10 * 60_000;

const PURGE = `
  DELETE FROM inbox
  WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM inbox WHERE received_at < now() - make_interval(days => $1) LIMIT $2
  ))
  RETURNING 1`;

/**
 * Remembers which messages a consumer has handled, in the transaction that handles them. It is for
 * effects that have no natural key for ever: where the effect's own row refuses a repetition, as in
 * ledger and banking, an entry for each message would only cost.
 *
 * @param consumer Names the memory, as "ledger-commands": two consumers of one database each see a message once.
 */
export function createInbox({ consumer }: { consumer: string }): Inbox {
  return {
    async admit(tx, received) {
      const first = new Map<string, (typeof received)[number]>();
      for (const one of received) if (!first.has(one.id)) first.set(one.id, one);
      if (first.size === 0) return [];
      // Sorted, so that two transactions that admit the same messages wait for each other and do not deadlock.
      const rows = await tx.query<{ message_id: string }>(ADMIT, [consumer, [...first.keys()].sort()]);
      const admitted = new Set(rows.map((row) => row.message_id));
      return [...first.values()].filter(({ id }) => admitted.has(id));
    },
  };
}

/**
 * Deletes entries that are older than any message can be, in chunks so that no transaction is long.
 *
 * @param keptDays Default 8; fewer than topics keep would let an old message in again.
 * @returns how many were deleted.
 */
export async function purgeInbox(database: Database, keptDays = KEPT_DAYS): Promise<number> {
  for (let deleted = 0; ; ) {
    const rows = await database.query(PURGE, [keptDays, CHUNK_ROWS]);
    deleted += rows.length;
    if (rows.length < CHUNK_ROWS) return deleted;
  }
}

/** Purges the inbox of a database now and then. One for each database is enough; several do no harm. */
export function createInboxPurger({ database, logger }: { database: Database; logger: Logger }): Component {
  return every({
    name: "inbox-purger",
    periodMs: PURGE_EVERY_MS,
    async work() {
      const deleted = await purgeInbox(database);
      if (deleted > 0) logger.info({ deleted }, "old inbox entries deleted");
    },
    what: "inbox could not be purged now",
    logger,
  });
}
