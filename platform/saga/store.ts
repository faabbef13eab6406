import { type Migrations, orLostRace, type Queryable, type Transaction, textArray } from "@ferry/platform/db";
import { reviveJson, writeJson } from "./json.ts";
import { dueAtMsOf, type Saga, type SagaStatus } from "./saga.ts";

export const sagaMigrations: Migrations = { name: "saga", directory: `${import.meta.dirname}/migrations` };

/** All of a saga that changes with its steps and that no statement asks for. */
type Progress = Pick<
  Saga,
  "step" | "attempts" | "tries" | "tryingSinceMs" | "waiting" | "steps" | "failure" | "lanes" | "turningBack"
>;

interface SagaRow {
  id: string;
  definition: string;
  version: number;
  revision: number;
  status: SagaStatus;
  state: unknown;
  progress: Progress;
  traceparent: string | null;
  created_at: Date;
  command_xid: string | null;
  parent_id: string | null;
  parent_step: string | null;
}

const COLUMNS = `id, definition, version, revision, status, state, progress, traceparent, created_at, command_xid::text,
  parent_id, parent_step`;

function sagaOf(row: SagaRow): Saga {
  const { id, definition, version, revision, status, progress } = row;
  return {
    ...{ id, definition, version, revision, status },
    ...progress,
    state: reviveJson(row.state),
    createdAtMs: row.created_at.getTime(),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    ...(row.parent_id === null ? {} : { parent: { id: row.parent_id, step: row.parent_step ?? "" } }),
  };
}

function progressOf(saga: Saga): string {
  const { step, attempts, tries, tryingSinceMs, waiting, steps, failure, lanes, turningBack } = saga;
  const progress: Progress = { step, attempts, tries, tryingSinceMs, waiting, steps };
  if (failure !== undefined) progress.failure = failure;
  if (lanes !== undefined) progress.lanes = lanes;
  if (turningBack) progress.turningBack = turningBack;
  return JSON.stringify(progress); // Without the bigints that a state may have.
}

/** Unix times in seconds, as to_timestamp takes them. */
function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1_000;
}

function parkedAtMsOf({ waiting }: Saga): number | undefined {
  return waiting.for === "operator" ? waiting.sinceMs : undefined;
}

const INSERT_SAGAS = `
  INSERT INTO saga (id, definition, version, revision, status, state, progress, traceparent, look_at, command_xid,
    created_at, updated_at)
  SELECT id, definition, version, 1, status, state::json, progress::json, traceparent, to_timestamp(due),
    pg_current_xact_id(), to_timestamp(created), to_timestamp(created)
  FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::double precision[], $9::double precision[])
    AS new (id, definition, version, status, state, progress, traceparent, due, created)`;

function newColumns(sagas: readonly Saga[]): unknown[] {
  return [
    sagas.map(({ id }) => id),
    sagas.map(({ definition }) => definition),
    sagas.map(({ version }) => version),
    sagas.map(({ status }) => status),
    textArray(sagas.map(({ state }) => writeJson(state))),
    textArray(sagas.map(progressOf)),
    sagas.map(({ traceparent }) => traceparent),
    sagas.map((saga) => secondsOf(dueAtMsOf(saga))),
    sagas.map(({ createdAtMs }) => secondsOf(createdAtMs)),
  ];
}

/** Inserts new sagas, in their first revision. Their ids are new; a duplicate fails the transaction. */
export async function insertSagas(tx: Transaction, sagas: readonly Saga[]): Promise<void> {
  await tx.query(INSERT_SAGAS, newColumns(sagas));
}

const INSERT_CHILDREN = `
  INSERT INTO saga (id, definition, version, revision, status, state, progress, traceparent, look_at, command_xid,
    created_at, updated_at, parent_id, parent_step)
  SELECT id, definition, version, 1, status, state::json, progress::json, traceparent, to_timestamp(due),
    pg_current_xact_id(), to_timestamp(created), to_timestamp(created), parent_id, parent_step
  FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::double precision[], $9::double precision[], $10::uuid[], $11::text[])
    AS new (id, definition, version, status, state, progress, traceparent, due, created, parent_id, parent_step)
  ON CONFLICT (id) DO NOTHING`;

/**
 * Inserts sagas that steps of others begin. One that is there already stays as it is: two instances may
 * take on the same reply, and which of them is too late is told by the update of the parent.
 */
export async function insertChildren(tx: Transaction, sagas: readonly Saga[]): Promise<void> {
  const parents = [sagas.map(({ parent }) => parent?.id), sagas.map(({ parent }) => parent?.step)];
  await tx.query(INSERT_CHILDREN, [...newColumns(sagas), ...parents]);
}

/** A saga as it is to be written: `after` in the revision that follows on `before`. */
export interface SagaUpdate {
  before: Saga;
  after: Saga;
  /** A command of this saga leaves with this transaction. */
  sent: boolean;
}

const UPDATE_SAGAS = `
  WITH written AS (
  UPDATE saga SET revision = new.revision, status = new.status, progress = new.progress::json,
    state = coalesce(new.state::json, saga.state),
    look_at = CASE WHEN new.due IS NULL THEN NULL ELSE least(saga.look_at, to_timestamp(new.due)) END,
    parked_at = to_timestamp(new.parked),
    command_xid = CASE WHEN new.sent THEN pg_current_xact_id() ELSE saga.command_xid END,
    updated_at = clock_timestamp()
  FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::double precision[],
    $7::double precision[], $8::boolean[]) AS new (id, revision, status, progress, state, due, parked, sent)
  WHERE saga.id = new.id AND saga.revision = new.revision - 1
  RETURNING 1)
  SELECT ${orLostRace("cardinality($1::uuid[])")} FROM written`;

/** Updates a set of sagas, in id order. When one of them is not as it was read the statement fails, as a lost race. */
export async function updateSagas(tx: Transaction, updates: readonly SagaUpdate[]): Promise<void> {
  await tx.query(UPDATE_SAGAS, [
    updates.map(({ after }) => after.id),
    updates.map(({ after }) => after.revision),
    updates.map(({ after }) => after.status),
    textArray(updates.map(({ after }) => progressOf(after))),
    textArray(updates.map(({ before, after }) => (before.state === after.state ? null : writeJson(after.state)))),
    updates.map(({ after }) => secondsOf(dueAtMsOf(after))),
    updates.map(({ after }) => secondsOf(parkedAtMsOf(after))),
    updates.map(({ sent }) => sent),
  ]);
}

export async function findSagas(queryable: Queryable, ids: readonly string[]): Promise<Map<string, Saga>> {
  const rows = await queryable.query<SagaRow>(`SELECT ${COLUMNS} FROM saga WHERE id = ANY($1::uuid[])`, [ids]);
  return new Map(rows.map((row) => [row.id, sagaOf(row)]));
}

/** Locks in id order, so that two sets never wait for each other. */
export async function lockSagas(tx: Transaction, ids: readonly string[]): Promise<Map<string, Saga>> {
  const rows = await tx.query<SagaRow>(
    `SELECT ${COLUMNS} FROM saga WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, sagaOf(row)]));
}

export interface LookedAtSaga {
  saga: Saga;
  /** The transaction that its newest command left with. */
  commandXid: bigint | undefined;
}

/** Locks sagas that must be looked at and that no other instance works on. What they wait for may be due, or later. */
export async function lockSagasToLookAt(tx: Transaction, nowMs: number, limit: number): Promise<LookedAtSaga[]> {
  const rows = await tx.query<SagaRow>(
    `SELECT ${COLUMNS} FROM saga WHERE look_at <= $1 ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
    [new Date(nowMs), limit],
  );
  return rows.map((row) => ({
    saga: sagaOf(row),
    commandXid: row.command_xid === null ? undefined : BigInt(row.command_xid),
  }));
}

/** Writes when locked sagas must be looked at again: when what they wait for is due. */
export async function lookLater(tx: Transaction, sagas: readonly Saga[]): Promise<void> {
  await tx.query(
    `UPDATE saga SET look_at = to_timestamp(new.due)
     FROM unnest($1::uuid[], $2::double precision[]) AS new (id, due) WHERE saga.id = new.id`,
    [sagas.map(({ id }) => id), sagas.map((saga) => secondsOf(dueAtMsOf(saga)))],
  );
}

/** When the next saga must be looked at, Unix time in milliseconds. */
export async function findNextLookMs(queryable: Queryable): Promise<number | undefined> {
  const [row] = await queryable.query<{ look_at: Date | null }>(
    "SELECT min(look_at) AS look_at FROM saga WHERE look_at IS NOT NULL",
  );
  return row?.look_at?.getTime();
}

/** Sagas that are under way or parked, by definition: only those are read. */
export async function countSagas(
  queryable: Queryable,
): Promise<{ definition: string; state: "under-way" | "parked"; count: bigint }[]> {
  return queryable.query(
    `SELECT definition, 'under-way' AS state, count(*) AS count FROM saga WHERE look_at IS NOT NULL GROUP BY definition
     UNION ALL
     SELECT definition, 'parked', count(*) FROM saga WHERE parked_at IS NOT NULL GROUP BY definition`,
  );
}

/** Where a page of parked sagas ended. */
export interface ParkedCursor {
  /** Unix time in milliseconds. */
  parkedAtMs: number;
  id: string;
}

/** Parked sagas, longest parked first. */
export async function findParkedSagas(queryable: Queryable, limit: number, after?: ParkedCursor): Promise<Saga[]> {
  const rows = await queryable.query<SagaRow>(
    `SELECT ${COLUMNS} FROM saga WHERE parked_at IS NOT NULL AND (parked_at, id) > ($1, $2)
     ORDER BY parked_at, id LIMIT $3`,
    [new Date(after?.parkedAtMs ?? 0), after?.id ?? "00000000-0000-0000-0000-000000000000", limit],
  );
  return rows.map(sagaOf);
}

/** The sagas that steps of this one have begun, in the order in which they were: a step begins few. */
export async function findChildren(queryable: Queryable, parentId: string): Promise<Saga[]> {
  const rows = await queryable.query<SagaRow>(
    `SELECT ${COLUMNS} FROM saga WHERE parent_id = $1 ORDER BY created_at LIMIT 100`,
    [parentId],
  );
  return rows.map(sagaOf);
}

/** Deletes sagas that ended before a time, a limited number at once, but no child whose parent may still look at it. */
export async function deleteEnded(queryable: Queryable, beforeMs: number, limit: number): Promise<number> {
  const deleted = await queryable.query(
    `DELETE FROM saga WHERE id IN (
       SELECT id FROM saga AS old WHERE ended_at < $1 AND NOT EXISTS (
         SELECT 1 FROM saga AS parent
         WHERE parent.id = old.parent_id AND (parent.ended_at IS NULL OR parent.ended_at >= $1))
       ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING 1`,
    [new Date(beforeMs), limit],
  );
  return deleted.length;
}
