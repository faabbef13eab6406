import { join } from "node:path";
import { type Database, type Migrations, migrate } from "@ferry/platform/db";
import type { Lease, LeaseGrant, LeaseRequest } from "../leases.ts";

export interface LeaseStore {
  /** Makes the table where there is none. */
  ready(): Promise<void>;
  /**
   * @param requests Several of one caller share what is granted to them together, first come first served: one asks
   *   anew when its first lease came too late, or its window has ended meanwhile.
   */
  take(requests: readonly LeaseRequest[], windowMs: number): Promise<LeaseGrant[]>;
  giveBack(leases: readonly Lease[]): Promise<void>;
  /** Removes windows that are over, at most 10,000. */
  purge(): Promise<void>;
}

export const rateMigrations: Migrations = {
  name: "rate_limits",
  directory: join(import.meta.dirname, "migrations"),
};

/**
 * Keeps budgets in PostgreSQL. Its table is made at the start, or at the first use that finds the database: an edge
 * starts and serves without it.
 */
export function createLeaseStore(database: Pick<Database, "query">, url: string): LeaseStore {
  let migrated: Promise<void> | undefined;
  const ready = () => {
    migrated ??= migrate(url, [rateMigrations]).catch((error) => {
      migrated = undefined;
      throw error;
    });
    return migrated;
  };
  return {
    ready,
    async take(requests, windowMs) {
      await ready();
      const asked = together(requests);
      const rows = await database.query<TakenRow>(TAKE, [
        asked.map(({ key }) => key),
        asked.map(({ want }) => want),
        asked.map(({ limit }) => limit),
        windowMs,
      ]);
      const byKey = new Map(rows.map((row) => [row.key, row]));
      return requests.map(({ key, want }) => {
        const row = byKey.get(key)!;
        const granted = Math.min(want, row.granted);
        row.granted -= granted;
        return { granted, left: row.left, windowId: row.window_id, endsInMs: row.ends_in_ms };
      });
    },
    async giveBack(leases) {
      await database.query(GIVE_BACK, [
        leases.map(({ key }) => key),
        leases.map(({ windowId }) => windowId),
        leases.map(({ unspent }) => unspent),
      ]);
    },
    async purge() {
      await ready();
      await database.query(PURGE);
    },
  };
}

/** One request for each caller: a statement touches a row but once. */
function together(requests: readonly LeaseRequest[]): readonly LeaseRequest[] {
  const byKey = new Map<string, LeaseRequest>();
  for (const request of requests) {
    const before = byKey.get(request.key)?.want ?? 0;
    byKey.set(request.key, { ...request, want: before + request.want });
  }
  return byKey.size === requests.length ? requests : [...byKey.values()];
}

interface TakenRow {
  key: string;
  granted: number;
  left: number;
  window_id: number;
  ends_in_ms: number;
}

/** In the order of keys, as all edges do: so that none waits for another that waits for it. */
const TAKE = `
  INSERT INTO rate_budget AS known (key, window_end, spent, granted, budget)
  SELECT key, now() + $4::float8 * interval '1 ms', least(want, budget), least(want, budget), budget
  FROM unnest($1::text[], $2::int[], $3::int[]) AS asked (key, want, budget)
  ORDER BY key
  ON CONFLICT (key) DO UPDATE SET
    window_end = CASE WHEN known.window_end <= now() THEN excluded.window_end ELSE known.window_end END,
    spent = CASE WHEN known.window_end <= now() THEN excluded.spent
      ELSE known.spent + least(excluded.granted, greatest(excluded.budget - known.spent, 0)) END,
    granted = CASE WHEN known.window_end <= now() THEN excluded.granted
      ELSE least(excluded.granted, greatest(excluded.budget - known.spent, 0)) END,
    budget = excluded.budget
  RETURNING key, granted, greatest(budget - spent, 0) AS left,
    extract(epoch FROM window_end)::float8 AS window_id,
    greatest(extract(epoch FROM window_end - now()) * 1000, 1)::float8 AS ends_in_ms`;

const GIVE_BACK = `
  UPDATE rate_budget SET spent = greatest(rate_budget.spent - given.unspent, 0)
  FROM (
    SELECT held.key, back.unspent
    FROM unnest($1::text[], $2::float8[], $3::int[]) AS back (key, window_id, unspent)
    JOIN rate_budget AS held ON held.key = back.key AND extract(epoch FROM held.window_end)::float8 = back.window_id
    ORDER BY held.key
    FOR UPDATE OF held
  ) AS given
  WHERE rate_budget.key = given.key`;

const PURGE = `
  DELETE FROM rate_budget WHERE key IN (
    SELECT key FROM rate_budget WHERE window_end <= now() ORDER BY window_end LIMIT 10000 FOR UPDATE SKIP LOCKED
  )`;
