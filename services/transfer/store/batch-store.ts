import type { Queryable, Transaction } from "@ferry/platform/db";
import type { BatchRow, LineCounts, NewBatch } from "../app/batch-rows.ts";
import type { BatchMode, BatchState, Verdict } from "../domain/batch.ts";
import type { LineFailure } from "../domain/batch-line.ts";

interface Row {
  id: string;
  member_id: string;
  request_hash: Buffer;
  mode: BatchMode;
  state: BatchState;
  source_account_id: string | null;
  line_count: number;
  execute_at: Date | null;
  expire_at: Date | null;
  verdict: "GO" | "STOP" | null;
  failure_code: LineFailure["code"] | null;
  failure_message: string | null;
  swept: boolean;
  counts: LineCounts | null;
  created_at: Date;
  ended_at: Date | null;
}

function verdictOf({ verdict, failure_code, failure_message }: Row): Verdict | undefined {
  if (verdict === null) return undefined;
  if (verdict === "GO" || failure_code === null) return { kind: "GO" };
  return { kind: "STOP", failure: { code: failure_code, message: failure_message ?? "" } };
}

function fromRow(row: Row): BatchRow {
  return {
    id: row.id,
    memberId: row.member_id,
    requestHash: row.request_hash,
    mode: row.mode,
    state: row.state,
    sourceAccountId: row.source_account_id ?? undefined,
    lineCount: row.line_count,
    executeAtMs: row.execute_at?.getTime(),
    expireAtMs: row.expire_at?.getTime(),
    verdict: verdictOf(row),
    swept: row.swept,
    counts: row.counts ?? undefined,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
  };
}

export async function findBatches(from: Queryable, ids: readonly string[]): Promise<Map<string, BatchRow>> {
  const rows = await from.query<Row>("SELECT * FROM transfer_batch WHERE id = ANY($1::uuid[])", [ids]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

/** How many batches of a member are under way, and how many wait for their time. */
export async function countOfMember(
  from: Queryable,
  memberId: string,
): Promise<{ underWay: number; scheduled: number }> {
  const [row] = await from.query<{ under_way: bigint; scheduled: bigint }>(
    `SELECT
       (SELECT count(*) FROM transfer_batch WHERE state IN ('RUNNING', 'STOPPING') AND member_id = $1) AS under_way,
       (SELECT count(*) FROM transfer_batch WHERE state = 'SCHEDULED' AND member_id = $1) AS scheduled`,
    [memberId],
  );
  return { underWay: Number(row?.under_way ?? 0n), scheduled: Number(row?.scheduled ?? 0n) };
}

/** Locks batches in id order. Whoever locks sagas too locks those first, and lines last. */
export async function lockBatches(tx: Transaction, ids: readonly string[]): Promise<Map<string, BatchRow>> {
  const rows = await tx.query<Row>("SELECT * FROM transfer_batch WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", [
    ids,
  ]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

const dateOf = (ms: number | undefined) => (ms === undefined ? null : new Date(ms));

/** Records a batch without its lines. Gives whether it was new; one that is being recorded elsewhere is waited for. */
export async function insertBatch(tx: Transaction, batch: NewBatch): Promise<boolean> {
  const rows = await tx.query(
    `INSERT INTO transfer_batch (id, member_id, request_hash, mode, state, source_account_id, line_count, execute_at,
       expire_at, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING RETURNING 1`,
    [
      ...[batch.id, batch.memberId, batch.requestHash, batch.mode, batch.state, batch.sourceAccountId ?? null],
      ...[batch.lines.length, dateOf(batch.executeAtMs), dateOf(batch.expireAtMs), batch.createdAt],
    ],
  );
  return rows.length > 0;
}

/** Writes the verdict on a batch that its caller has locked and that has none. */
export async function decideBatch(tx: Transaction, id: string, verdict: Verdict): Promise<void> {
  const failure = verdict.kind === "STOP" ? verdict.failure : undefined;
  await tx.query(
    `UPDATE transfer_batch SET verdict = $2, failure_code = $3, failure_message = $4,
       state = CASE WHEN $2 = 'STOP' THEN 'STOPPING' ELSE state END
     WHERE id = $1 AND verdict IS NULL AND ended_at IS NULL`,
    [id, verdict.kind, failure?.code ?? null, failure?.message ?? null],
  );
}

/** Begins a batch whose time has come. */
export async function beginBatch(tx: Transaction, id: string, expireAtMs: number | undefined): Promise<void> {
  await tx.query("UPDATE transfer_batch SET state = 'RUNNING', expire_at = $2 WHERE id = $1 AND state = 'SCHEDULED'", [
    id,
    dateOf(expireAtMs),
  ]);
}

export async function showBatch(tx: Transaction, id: string, state: BatchState): Promise<void> {
  await tx.query("UPDATE transfer_batch SET state = $2 WHERE id = $1 AND ended_at IS NULL", [id, state]);
}

export async function markSwept(from: Queryable, id: string): Promise<void> {
  await from.query("UPDATE transfer_batch SET swept = true WHERE id = $1", [id]);
}

/** Ends a batch that its caller has locked. */
export async function endBatch(
  tx: Transaction,
  { id, state, counts, endedAt }: { id: string; state: BatchState; counts: LineCounts; endedAt: Date },
): Promise<void> {
  await tx.query("UPDATE transfer_batch SET state = $2, counts = $3::json, ended_at = $4 WHERE id = $1", [
    id,
    state,
    JSON.stringify(counts),
    endedAt,
  ]);
}

/** Later than any batch: where the first page begins. */
const BEGINNING = ["9999999999999999", "ffffffff-ffff-ffff-ffff-ffffffffffff"] as const;

/** A member's batches, newest first. @param after Position of the last row of the page before. */
export async function listBatches(
  from: Queryable,
  page: { memberId: string; limit: number; after: readonly [time: string, id: string] | undefined },
): Promise<{ batch: BatchRow; position: [time: string, id: string] }[]> {
  const [time, id] = page.after ?? BEGINNING;
  const rows = await from.query<Row & { position: string }>(
    `SELECT *, (extract(epoch FROM created_at) * 1000000)::bigint::text AS position FROM transfer_batch
     WHERE member_id = $1 AND (created_at, id) < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3::uuid)
     ORDER BY created_at DESC, id DESC LIMIT $4`,
    [page.memberId, time, id, page.limit],
  );
  return rows.map((row) => ({ batch: fromRow(row), position: [row.position, row.id] }));
}
