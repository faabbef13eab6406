import { join } from "node:path";
import type { Migrations, Queryable, Transaction } from "@ferry/platform/db";
import type { BankCall, FinishedCall, RecordedCall, ReplyRoute } from "../app/bank-call.ts";
import type { Operation } from "../domain/call.ts";

export const bankingMigrations: Migrations = { name: "banking", directory: join(import.meta.dirname, "migrations") };

interface Row {
  id: string;
  reference: string;
  bank_code: string;
  operation: Record<string, string>;
  reply_to: string | null;
  saga_id: string | null;
  saga_step: string | null;
  traceparent: string | null;
}

/** JSON has no bigint: amounts stand as decimal digits. */
function operationJson(operation: Operation): string {
  return JSON.stringify(operation, (_key, value) => (typeof value === "bigint" ? value.toString() : value));
}

function operationFrom(json: Record<string, string>): Operation {
  const { amountMinor, ...rest } = json;
  return (amountMinor === undefined ? rest : { ...rest, amountMinor: BigInt(amountMinor) }) as unknown as Operation;
}

function routeOf(row: Row): ReplyRoute | undefined {
  if (row.reply_to === null) return undefined;
  return { replyTo: row.reply_to, sagaId: row.saga_id ?? undefined, sagaStep: row.saga_step ?? undefined };
}

function fromRow(row: Row): BankCall {
  return {
    id: row.id,
    reference: row.reference,
    bankCode: row.bank_code,
    operation: operationFrom(row.operation),
    route: routeOf(row),
    traceparent: row.traceparent ?? undefined,
  };
}

/** Records calls that are about to be made; gives the ids of those that were not recorded before. */
export async function insertCalls(tx: Transaction, calls: readonly BankCall[], leaseMs: number): Promise<Set<string>> {
  const column = <T>(pick: (call: BankCall) => T) => calls.map(pick);
  const rows = await tx.query<{ id: string }>(
    `INSERT INTO bank_call (id, reference, bank_code, operation, reply_to, saga_id, saga_step, traceparent, lease_until)
     SELECT *, now() + make_interval(secs => $9) FROM unnest($1::text[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[],
       $6::text[], $7::text[], $8::text[])
     ON CONFLICT (id) DO NOTHING RETURNING id`,
    [
      column(({ id }) => id),
      column(({ reference }) => reference),
      column(({ bankCode }) => bankCode),
      column(({ operation }) => operationJson(operation)),
      column(({ route }) => route?.replyTo ?? null),
      column(({ route }) => route?.sagaId ?? null),
      column(({ route }) => route?.sagaStep ?? null),
      column(({ traceparent }) => traceparent ?? null),
      leaseMs / 1_000,
    ],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Lets pending calls belong to this instance for another lease; 0 ms gives them to whoever comes. */
export async function renewLeases(tx: Transaction, ids: readonly string[], leaseMs: number): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    `UPDATE bank_call SET lease_until = now() + make_interval(secs => $2) WHERE id = ANY($1::text[]) AND duration_ms IS NULL`,
    [ids, leaseMs / 1_000],
  );
}

export const FIND_PAID_REFERENCES = `SELECT DISTINCT reference FROM bank_call
  WHERE reference = ANY($1::uuid[]) AND operation ->> 'kind' IN ('send', 'collect')`;

/** The references of those given under which a payment, out or in, was recorded. */
export async function findPaidReferences(from: Queryable, references: readonly string[]): Promise<Set<string>> {
  const rows = await from.query<{ reference: string }>(FIND_PAID_REFERENCES, [references]);
  return new Set(rows.map(({ reference }) => reference));
}

export const TAKE_OVERDUE_CALLS = `UPDATE bank_call SET lease_until = now() + make_interval(secs => $2)
  WHERE id IN (SELECT id FROM bank_call WHERE outcome = 'pending' AND lease_until <= now()
    ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED)
  RETURNING id, reference, bank_code, operation, reply_to, saga_id, saga_step, traceparent`;

/** Takes pending calls whose lease is over, for another lease. */
export async function takeOverdueCalls(tx: Transaction, limit: number, leaseMs: number): Promise<BankCall[]> {
  const rows = await tx.query<Row>(TAKE_OVERDUE_CALLS, [limit, leaseMs / 1_000]);
  return rows.map(fromRow);
}

/** A pending call has no duration yet. Asked in this way, since asking for its outcome would lead the planner to the index of all pending calls. */
export const FINISH_CALLS = `UPDATE bank_call SET outcome = done.outcome, failure_code = done.code,
    failure_message = done.message, detail = done.detail, duration_ms = done.duration_ms
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
    AS done (id, outcome, code, message, detail, duration_ms)
  WHERE bank_call.id = done.id AND bank_call.duration_ms IS NULL RETURNING bank_call.id`;

/** Writes outcomes; gives the ids of the calls that were still pending: a call has one outcome. */
export async function finishCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<Set<string>> {
  const column = <T>(pick: (call: FinishedCall) => T) => finished.map(pick);
  const rows = await tx.query<{ id: string }>(FINISH_CALLS, [
    column(({ call }) => call.id),
    column(({ outcome }) => outcome.kind),
    column(({ outcome }) => outcome.failure?.code ?? null),
    column(({ outcome }) => outcome.failure?.message ?? null),
    column(({ outcome }) => outcome.detail.slice(0, 500).replaceAll("\0", "")),
    column(({ durationMs }) => durationMs),
  ]);
  return new Set(rows.map(({ id }) => id));
}

export const LIST_CALLS = "SELECT * FROM bank_call WHERE reference = $1 ORDER BY started_at, id LIMIT $2";

/** Every call of one reference, oldest first. */
export async function listCalls(from: Queryable, reference: string, limit: number): Promise<RecordedCall[]> {
  const rows = await from.query<
    Row & { outcome: RecordedCall["outcome"]; detail: string; started_at: Date; duration_ms: number | null }
  >(LIST_CALLS, [reference, limit]);
  return rows.map((row) => ({
    id: row.id,
    reference: row.reference,
    bankCode: row.bank_code,
    operation: operationFrom(row.operation).kind,
    outcome: row.outcome,
    detail: row.detail,
    startedAt: row.started_at,
    durationMs: row.duration_ms ?? undefined,
  }));
}
