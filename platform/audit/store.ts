import {
  type Database,
  type Migrations,
  newUuid,
  type Queryable,
  type Session,
  type Transaction,
  textArray,
} from "@ferry/platform/db";
import type { AuditCheck, FoundBreach } from "./types.ts";

export const auditMigrations: Migrations = { name: "audit", directory: `${import.meta.dirname}/migrations` };

/** Two numbers that nothing else of the platform locks. */
const LOCK = [0x66657272, 2] as const;

/** Takes the place of the one auditor of this database, for as long as the session lasts. */
export async function tryLock(session: Session): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS locked", LOCK);
  return row!.locked;
}

/**
 * The present, and which transactions are over: all with an id below `oldest`, and none with an id from `next`
 * on has begun. The snapshot's own upper end is no such id: it only lies above all that have ended.
 */
export async function readPresent(db: Queryable): Promise<{ nowMs: number; oldest: bigint; next: bigint }> {
  const [row] = await db.query<{ now: string; oldest: string; behind: number }>(
    `SELECT (extract(epoch FROM now()) * 1000)::bigint::text AS now, pg_snapshot_xmin(snapshot)::text AS oldest,
       age(pg_snapshot_xmin(snapshot)::xid) AS behind FROM pg_current_snapshot() AS snapshot`,
  );
  const oldest = BigInt(row!.oldest);
  return { nowMs: Number(row!.now), oldest, next: oldest + BigInt(row!.behind) };
}

export interface CursorRow {
  check_name: string;
  revision: bigint;
  position: unknown;
  round_at: Date;
  round_rows: bigint;
  round_ms: number;
  total_rows: bigint;
  lag_ms: bigint | null;
}

export async function findCursors(db: Queryable): Promise<Map<string, CursorRow>> {
  const rows = await db.query<CursorRow>("SELECT * FROM audit_cursor");
  return new Map(rows.map((row) => [row.check_name, row]));
}

/** Another auditor has written the check's cursor meanwhile: nothing may be written. */
export class NotTheAuditor extends Error {
  constructor() {
    super("another auditor is at work on this database");
    this.name = "NotTheAuditor";
  }
}

export interface CursorUpdate {
  name: string;
  /** The revision that it stands on; 0 for none. */
  revision: bigint;
  position: unknown;
  rows: number;
  durationMs: number;
  lagMs: number | undefined;
}

/** @throws NotTheAuditor when the cursor is not as it was read: then the transaction must not be committed. */
export async function saveCursor(tx: Transaction, update: CursorUpdate): Promise<void> {
  const written = await tx.query(
    `INSERT INTO audit_cursor (check_name, revision, position, round_at, round_rows, round_ms, total_rows, lag_ms)
     VALUES ($1, $2::bigint + 1, $3, now(), $4, $5, $4, $6)
     ON CONFLICT (check_name) DO UPDATE SET revision = excluded.revision, position = excluded.position,
       round_at = now(), round_rows = excluded.round_rows, round_ms = excluded.round_ms,
       total_rows = audit_cursor.total_rows + excluded.round_rows, lag_ms = excluded.lag_ms
     WHERE audit_cursor.revision = $2 RETURNING 1`,
    [
      ...[update.name, update.revision, update.position === undefined ? null : JSON.stringify(update.position)],
      ...[update.rows, Math.round(update.durationMs), update.lagMs === undefined ? null : Math.round(update.lagMs)],
    ],
  );
  if (written.length !== 1) throw new NotTheAuditor();
}

/** Subjects that are due to be looked at again, longest waiting first. */
export async function findDue(db: Queryable, name: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ subject: string }>(
    `SELECT subject FROM audit_waiting WHERE check_name = $1 AND look_at <= now()
     ORDER BY check_name, look_at LIMIT $2`,
    [name, limit],
  );
  return rows.map(({ subject }) => subject);
}

/** Whether any subject of a check waits, due or not. */
export async function hasWaiting(db: Queryable, name: string): Promise<boolean> {
  const [row] = await db.query<{ waits: boolean }>(
    "SELECT EXISTS (SELECT FROM audit_waiting WHERE check_name = $1) AS waits",
    [name],
  );
  return row!.waits;
}

/** Looks again after 5 s, and then after as long as it waits already, an hour at most. */
export async function saveWaiting(tx: Transaction, name: string, subjects: readonly string[]): Promise<void> {
  if (subjects.length === 0) return;
  await tx.query(
    `INSERT INTO audit_waiting AS waiting (check_name, subject, look_at)
     SELECT $1, subject, now() + interval '5 seconds' FROM unnest($2::text[]) AS new (subject)
     ON CONFLICT (check_name, subject) DO UPDATE
       SET look_at = now() + greatest(interval '5 seconds', least(now() - waiting.first_at, interval '1 hour'))`,
    [name, textArray(subjects)],
  );
}

export async function deleteWaiting(tx: Transaction, name: string, subjects: readonly string[]): Promise<void> {
  if (subjects.length === 0) return;
  await tx.query("DELETE FROM audit_waiting WHERE check_name = $1 AND subject = ANY($2::text[])", [
    name,
    textArray(subjects),
  ]);
}

/** By check, those that have any. */
export async function countWaiting(db: Queryable): Promise<Map<string, bigint>> {
  const rows = await db.query<{ name: string; count: bigint }>(
    "SELECT check_name AS name, count(*) AS count FROM audit_waiting GROUP BY check_name",
  );
  return new Map(rows.map(({ name, count }) => [name, count]));
}

export interface BreachRow {
  id: string;
  check_name: string;
  invariant: string;
  subject: string;
  message: string;
  detail: unknown;
  accounts: string[];
  frozen: string[];
  found_at: Date;
  seen_at: Date;
  ended_at: Date | null;
  acknowledged_at: Date | null;
  acknowledged_by: string | null;
  acknowledge_reason: string | null;
}

const COLUMNS = `id, check_name, invariant, subject, message, detail, accounts::text[], frozen::text[], found_at, seen_at,
  ended_at, acknowledged_at, acknowledged_by, acknowledge_reason`;

function jsonOf(detail: FoundBreach["detail"]): string {
  return JSON.stringify(detail, (_, value) => (typeof value === "bigint" ? value.toString() : value));
}

/** Records breaches; gives those that were not known before. */
export async function saveBreaches(
  tx: Transaction,
  { name, invariant, findsFor = name }: Pick<AuditCheck, "name" | "invariant" | "findsFor">,
  found: readonly FoundBreach[],
): Promise<BreachRow[]> {
  const fresh: BreachRow[] = [];
  // One by one: there are none, or few; and each has a list of accounts of its own.
  for (const { subject, message, detail, accounts } of found) {
    const rows = await tx.query<BreachRow & { is_new: boolean }>(
      `INSERT INTO audit_breach (id, check_name, invariant, subject, message, detail, accounts, frozen_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7::uuid[], CASE WHEN cardinality($7::uuid[]) = 0 THEN now() END)
       ON CONFLICT (check_name, subject) WHERE ended_at IS NULL DO UPDATE SET seen_at = now()
       RETURNING ${COLUMNS}, xmax = 0 AS is_new`,
      [newUuid(), findsFor, invariant, subject, message, jsonOf(detail), [...new Set(accounts)]],
    );
    fresh.push(...rows.filter(({ is_new }) => is_new));
  }
  return fresh;
}

/** Ends the standing conditions of a check that were not found again. */
export async function endPassed(tx: Transaction, name: string, found: readonly FoundBreach[]): Promise<void> {
  await tx.query(
    `UPDATE audit_breach SET ended_at = now()
     WHERE check_name = $1 AND ended_at IS NULL AND subject <> ALL ($2::text[])`,
    [name, textArray(found.map(({ subject }) => subject))],
  );
}

/** Breaches whose accounts are not frozen yet, in the order of their ids, after one of them. */
export async function findUnfrozen(db: Queryable, limit: number, after?: string): Promise<BreachRow[]> {
  return db.query<BreachRow>(
    `SELECT ${COLUMNS} FROM audit_breach WHERE frozen_at IS NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $1`,
    [limit, after ?? null],
  );
}

export async function saveFrozen(db: Queryable, id: string, frozen: readonly string[]): Promise<void> {
  await db.query("UPDATE audit_breach SET frozen_at = now(), frozen = $2::uuid[] WHERE id = $1", [id, frozen]);
}

/** Breaches that still hold and that nobody has acknowledged, by check. */
export async function countOpen(db: Queryable): Promise<Map<string, bigint>> {
  const rows = await db.query<{ name: string; count: bigint }>(
    `SELECT check_name AS name, count(*) AS count FROM audit_breach
     WHERE acknowledged_at IS NULL AND ended_at IS NULL GROUP BY check_name`,
  );
  return new Map(rows.map(({ name, count }) => [name, count]));
}

/** Where a page of breaches ended: microseconds since 1970, and the id. */
export type BreachPosition = readonly [foundAtMicros: string, id: string];

/** Newest first. */
export async function listBreaches(
  db: Queryable,
  { open, limit, after }: { open: boolean; limit: number; after: BreachPosition | undefined },
): Promise<(BreachRow & { position: string })[]> {
  const [micros, id] = after ?? ["9999999999999999", "ffffffff-ffff-ffff-ffff-ffffffffffff"];
  return db.query<BreachRow & { position: string }>(
    `SELECT ${COLUMNS}, (extract(epoch FROM found_at) * 1000000)::bigint::text AS position FROM audit_breach
     WHERE (found_at, id) < (timestamptz 'epoch' + $1::bigint * interval '1 microsecond', $2::uuid)
       ${open ? "AND acknowledged_at IS NULL AND ended_at IS NULL" : ""}
     ORDER BY found_at DESC, id DESC LIMIT $3`,
    [micros, id, limit],
  );
}

/** Takes note of a breach; one that was acknowledged before stays as it is. Undefined when there is none. */
export async function acknowledge(
  database: Database,
  id: string,
  { operatorId, reason }: { operatorId: string; reason: string },
): Promise<BreachRow | undefined> {
  const rows = await database.query<BreachRow>(
    `UPDATE audit_breach SET acknowledged_at = coalesce(acknowledged_at, now()),
       acknowledged_by = coalesce(acknowledged_by, $2), acknowledge_reason = coalesce(acknowledge_reason, $3)
     WHERE id = $1 RETURNING ${COLUMNS}`,
    [id, operatorId, reason],
  );
  return rows[0];
}

/** The oldest row of the outbox that the broker has not acknowledged. */
export async function findOldestUnpublished(
  db: Queryable,
): Promise<{ xid: string; seq: string; ageMs: number } | undefined> {
  const [row] = await db.query<{ xid: string; seq: string; age: string }>(
    `SELECT oldest.xid::text, oldest.seq::text, (extract(epoch FROM now() - oldest.created_at) * 1000)::bigint::text AS age
     FROM outbox_mark AS mark CROSS JOIN LATERAL (
       SELECT xid, seq, created_at FROM outbox WHERE (xid, seq) > (mark.xid, mark.seq) ORDER BY xid, seq LIMIT 1
     ) AS oldest`,
  );
  return row === undefined ? undefined : { xid: row.xid, seq: row.seq, ageMs: Number(row.age) };
}

export interface StuckSaga {
  id: string;
  what: "not-looked-at" | "without-reason" | "too-long";
  saga: unknown;
}

/**
 * Sagas that do not end: due and not looked at, parked without a reason, or under way for too long. Only those
 * that are under way or parked are read, each kind by the index that has no others.
 */
export async function findStuckSagas(
  db: Queryable,
  { unseenMs, longestMs, limit }: { unseenMs: number; longestMs: number; limit: number },
): Promise<StuckSaga[]> {
  return db.query<StuckSaga>(
    `(SELECT id::text, 'not-looked-at' AS what, row_to_json(saga) AS saga FROM saga
      WHERE look_at < now() - make_interval(secs => $1) ORDER BY look_at LIMIT $3)
     UNION ALL
     (SELECT id::text, 'without-reason', row_to_json(saga) FROM saga
      WHERE parked_at IS NOT NULL AND progress -> 'waiting' -> 'reason' ->> 'code' IS NULL
      ORDER BY parked_at, id LIMIT $3)
     UNION ALL
     (SELECT id::text, 'too-long', row_to_json(saga) FROM saga
      WHERE look_at IS NOT NULL AND created_at < now() - make_interval(secs => $2) ORDER BY look_at LIMIT $3)`,
    [unseenMs / 1_000, longestMs / 1_000, limit],
  );
}
