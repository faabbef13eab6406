import type { Migrations, Queryable, Transaction } from "@ferry/platform/db";
import type { SagaFailure } from "./definition.ts";
import { reviveJson, writeJson } from "./json.ts";
import { dueAtMsOf, type Saga, type SagaStatus, type StepRecord, type Waiting } from "./saga.ts";

export const sagaMigrations: Migrations = { name: "saga", directory: `${import.meta.dirname}/migrations` };

interface SagaRow {
  id: string;
  definition: string;
  version: number;
  status: SagaStatus;
  step: number;
  attempts: number;
  tries: number;
  trying_since: Date;
  waiting: Waiting;
  state: unknown;
  steps: StepRecord[];
  failure: SagaFailure | null;
  traceparent: string | null;
  created_at: Date;
  command_xid: string | null;
}

const COLUMNS = `id, definition, version, status, step, attempts, tries, trying_since, waiting, state, steps, failure,
  traceparent, created_at, command_xid::text`;

function sagaOf(row: SagaRow): Saga {
  const { id, definition, version, status, step, attempts, tries, waiting, steps } = row;
  return {
    ...{ id, definition, version, status, step, attempts, tries, waiting, steps },
    tryingSinceMs: row.trying_since.getTime(),
    state: reviveJson(row.state),
    createdAtMs: row.created_at.getTime(),
    ...(row.failure === null ? {} : { failure: row.failure }),
    ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
  };
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** A set of sagas as one JSON text: cheaper to make and to read than an array per column. */
function rowsOf(sagas: readonly { saga: Saga; sent: boolean }[]): string {
  const rows = sagas.map(({ saga, sent }) => ({
    ...saga,
    sent,
    trying_since: timeOf(saga.tryingSinceMs),
    created_at: timeOf(saga.createdAtMs),
    due_at: timeOf(dueAtMsOf(saga)),
    parked_at: saga.waiting.for === "operator" ? timeOf(saga.waiting.sinceMs) : undefined,
  }));
  return writeJson(rows);
}

/** Inserts new sagas. Their ids are new; a duplicate fails the transaction. */
export async function insertSagas(tx: Transaction, sagas: readonly Saga[]): Promise<void> {
  await tx.query(
    `INSERT INTO saga (id, definition, version, status, step, attempts, tries, trying_since, waiting, state, steps,
       traceparent, due_at, command_xid, created_at, updated_at)
     SELECT id, definition, version, status, step, attempts, tries, trying_since, waiting, state, steps,
       traceparent, due_at, pg_current_xact_id(), created_at, created_at
     FROM jsonb_to_recordset($1::jsonb) AS new (id uuid, definition text, version integer, status text, step integer,
       attempts integer, tries integer, trying_since timestamptz, waiting jsonb, state jsonb, steps jsonb,
       traceparent text, due_at timestamptz, created_at timestamptz)`,
    [rowsOf(sagas.map((saga) => ({ saga, sent: true })))],
  );
}

/** Updates a set of locked sagas. `sent`: a command of this saga leaves with this transaction. */
export async function updateSagas(tx: Transaction, sagas: readonly { saga: Saga; sent: boolean }[]): Promise<void> {
  await tx.query(
    `UPDATE saga SET status = new.status, step = new.step, attempts = new.attempts, tries = new.tries,
       trying_since = new.trying_since, waiting = new.waiting, state = new.state, steps = new.steps,
       failure = new.failure, due_at = new.due_at, parked_at = new.parked_at,
       command_xid = CASE WHEN new.sent THEN pg_current_xact_id() ELSE saga.command_xid END,
       updated_at = clock_timestamp()
     FROM jsonb_to_recordset($1::jsonb) AS new (id uuid, status text, step integer, attempts integer, tries integer,
       trying_since timestamptz, waiting jsonb, state jsonb, steps jsonb, failure jsonb, due_at timestamptz,
       parked_at timestamptz, sent boolean)
     WHERE saga.id = new.id`,
    [rowsOf(sagas)],
  );
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

export interface DueSaga {
  saga: Saga;
  /** The transaction that its newest command left with. */
  commandXid: bigint | undefined;
}

/** Locks sagas that are due and that no other instance works on. */
export async function lockDueSagas(tx: Transaction, nowMs: number, limit: number): Promise<DueSaga[]> {
  const rows = await tx.query<SagaRow>(
    `SELECT ${COLUMNS} FROM saga WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
    [new Date(nowMs), limit],
  );
  return rows.map((row) => ({
    saga: sagaOf(row),
    commandXid: row.command_xid === null ? undefined : BigInt(row.command_xid),
  }));
}

/** When the next saga is due, Unix time in milliseconds. */
export async function findNextDueMs(queryable: Queryable): Promise<number | undefined> {
  const [row] = await queryable.query<{ due_at: Date | null }>(
    "SELECT min(due_at) AS due_at FROM saga WHERE due_at IS NOT NULL",
  );
  return row?.due_at?.getTime();
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

export interface AuditEntry {
  atMs: number;
  operatorId: string;
  action: "resume" | "undo" | "skip";
  /** In the operator's words. */
  reason: string;
  before: Saga;
  after: Saga;
}

export async function insertAudit(tx: Transaction, entry: AuditEntry): Promise<void> {
  await tx.query(
    `INSERT INTO saga_audit (saga_id, at, operator_id, action, reason, before, after)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [
      ...[entry.before.id, new Date(entry.atMs), entry.operatorId, entry.action, entry.reason],
      ...[writeJson(entry.before), writeJson(entry.after)],
    ],
  );
}
