import type { Queryable, Transaction } from "@ferry/platform/db";
import type { Decision, InDoubtTransaction } from "./types.ts";

/** Two numbers that nothing else of the platform locks; the second is made of the coordinator's name. */
const LOCK_SPACE = 0x32706300;
const MAX_LISTED = 1_000;

/** The log's id, made at the first start: a database that is copied before it has none of its own. */
export async function readLogId(log: Queryable): Promise<string> {
  await log.query("INSERT INTO two_phase_log (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING");
  const [row] = await log.query<{ id: string }>("SELECT id FROM two_phase_log");
  if (row === undefined) throw new Error("two_phase_log has no row");
  return row.id;
}

export async function tryLock(session: Queryable, coordinator: string): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean }>("SELECT pg_try_advisory_lock($1, hashtext($2)) AS locked", [
    ...[LOCK_SPACE, coordinator],
  ]);
  return row!.locked;
}

/**
 * Writes a decision, unless there is one.
 * @returns what is decided now: the first to write has decided.
 */
export async function decide(
  log: Queryable,
  id: string,
  decision: Decision,
  participants: readonly string[],
): Promise<Decision> {
  const [row] = await log.query<{ decision: Decision }>(
    `INSERT INTO two_phase_decision AS known (id, decision, participants) VALUES ($1, $2, $3)
     ON CONFLICT (id) DO UPDATE SET id = known.id RETURNING decision`,
    [id, decision, participants],
  );
  return row!.decision;
}

export async function findDecisions(log: Queryable, ids: readonly string[]): Promise<Map<string, Decision>> {
  if (ids.length === 0) return new Map();
  const rows = await log.query<{ id: string; decision: Decision }>(
    "SELECT id, decision FROM two_phase_decision WHERE id = ANY($1::uuid[])",
    [ids],
  );
  return new Map(rows.map(({ id, decision }) => [id, decision]));
}

export interface OldCommit {
  id: string;
  participants: string[];
}

/** Commits that should have been deleted long ago: their coordinator died before it did. */
export function listOldCommits(log: Queryable, ageMs: number): Promise<OldCommit[]> {
  return log.query<OldCommit>(
    `SELECT id, participants FROM two_phase_decision
     WHERE decided_at < now() - make_interval(secs => $1::float8 / 1000) AND decision = 'commit'
     ORDER BY decided_at LIMIT $2`,
    [ageMs, MAX_LISTED],
  );
}

export async function deleteDecisions(log: Queryable, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await log.query("DELETE FROM two_phase_decision WHERE id = ANY($1::uuid[])", [ids]);
}

/** Deletes aborts that no coordinator can be about to decide differently any more. */
export async function deleteOldAborts(log: Queryable, keptDays: number): Promise<void> {
  await log.query(
    `DELETE FROM two_phase_decision WHERE id IN (
       SELECT id FROM two_phase_decision
       WHERE decided_at < now() - make_interval(days => $1) AND decision = 'abort' LIMIT $2
     )`,
    [keptDays, MAX_LISTED],
  );
}

export interface PreparedTransaction {
  name: string;
  ageMs: number;
}

/** Prepared transactions of this database whose names begin so; oldest first. */
export function listPrepared(participant: Queryable, prefix: string): Promise<PreparedTransaction[]> {
  return participant.query<PreparedTransaction>(
    `SELECT gid AS name, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8 AS "ageMs"
     FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)
     ORDER BY prepared LIMIT $2`,
    [prefix, MAX_LISTED],
  );
}

/** How many transactions the server can hold prepared; 0: none. */
export async function readPreparedLimit(participant: Queryable): Promise<number> {
  const [row] = await participant.query<{ count: number }>(
    "SELECT current_setting('max_prepared_transactions')::int4 AS count",
  );
  return row!.count;
}

export interface Audit {
  operatorId: string;
  action: Decision;
  reason: string;
  before: InDoubtTransaction;
}

export async function insertAudit(tx: Transaction, { operatorId, action, reason, before }: Audit): Promise<void> {
  await tx.query(
    `INSERT INTO two_phase_audit (transaction_id, operator_id, action, reason, before)
     VALUES ($1, $2, $3, $4, $5::jsonb)`,
    [before.id, operatorId, action, reason, JSON.stringify(before)],
  );
}
