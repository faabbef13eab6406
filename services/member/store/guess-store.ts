import { createHash } from "node:crypto";
import type { Queryable } from "@ferry/platform/db";
import type { GuessWindow } from "../domain/guessing.ts";

interface Row {
  key: Buffer;
  count: number;
  ends_at: Date;
}

const PURGE_CHUNK_ROWS = 5_000;
/** Names are told by nobody to the database: an email that was mistyped may be a password. */
const keyOf = (name: string) => createHash("sha256").update(name).digest();

function windowsOf(names: readonly string[], rows: readonly Row[]): (GuessWindow | undefined)[] {
  const found = new Map(rows.map((row) => [row.key.toString("hex"), { count: row.count, endsAt: row.ends_at }]));
  return names.map((name) => found.get(keyOf(name).toString("hex")));
}

/** Counts of wrong passwords, each in a window of its own that begins with the first. */
export const guessStore = {
  async find(db: Queryable, names: readonly string[], now: Date): Promise<(GuessWindow | undefined)[]> {
    const rows = await db.query<Row>(
      "SELECT key, count, ends_at FROM login_guess WHERE key = ANY($1::bytea[]) AND ends_at > $2",
      [names.map(keyOf), now],
    );
    return windowsOf(names, rows);
  },

  /** Adds one to each. @returns The windows with it, in the order of the names. */
  async add(db: Queryable, names: readonly string[], now: Date, endsAt: Date): Promise<(GuessWindow | undefined)[]> {
    // In the order of the keys, so that two at once do not wait for each other.
    const rows = await db.query<Row>(
      `INSERT INTO login_guess AS g (key, count, ends_at)
       SELECT key, 1, $2 FROM unnest($1::bytea[]) AS key ORDER BY key
       ON CONFLICT (key) DO UPDATE SET
         count = CASE WHEN g.ends_at <= $3 THEN 1 ELSE g.count + 1 END,
         ends_at = CASE WHEN g.ends_at <= $3 THEN excluded.ends_at ELSE g.ends_at END
       RETURNING key, count, ends_at`,
      [names.map(keyOf), endsAt, now],
    );
    return windowsOf(names, rows);
  },

  /** Takes one back from each. */
  async takeBack(db: Queryable, names: readonly string[]): Promise<void> {
    await db.query(
      `UPDATE login_guess AS g SET count = g.count - 1
       FROM (SELECT key FROM login_guess WHERE key = ANY($1::bytea[]) ORDER BY key FOR UPDATE) AS counted
       WHERE g.key = counted.key AND g.count > 0`,
      [names.map(keyOf)],
    );
  },

  async forget(db: Queryable, name: string): Promise<void> {
    await db.query("DELETE FROM login_guess WHERE key = $1", [keyOf(name)]);
  },

  /** Forgets windows that ended, a chunk at a time. @returns How many went. */
  async purge(db: Queryable, endedBefore: Date): Promise<number> {
    const rows = await db.query(
      "DELETE FROM login_guess WHERE key IN (SELECT key FROM login_guess WHERE ends_at < $1 LIMIT $2) RETURNING 1",
      [endedBefore, PURGE_CHUNK_ROWS],
    );
    return rows.length;
  },
};
