import type { Queryable, Transaction } from "@ferry/platform/db";
import type { DueWork } from "../app/batch-rows.ts";

const seconds = (ms: number) => ms / 1_000;

/** Plans work. What is planned already gets the earlier of the two times. */
export async function planWork(tx: Transaction, work: readonly DueWork[]): Promise<void> {
  if (work.length === 0) return;
  await tx.query(
    `INSERT INTO due_work (id, kind, due_at)
     SELECT id, kind, to_timestamp(due) FROM unnest($1::uuid[], $2::text[], $3::double precision[]) AS new (id, kind, due)
     ON CONFLICT (id, kind) DO UPDATE SET due_at = least(due_work.due_at, excluded.due_at)`,
    [work.map(({ id }) => id), work.map(({ kind }) => kind), work.map(({ dueAtMs }) => seconds(dueAtMs))],
  );
}

/** Moves work to another time. */
export async function planWorkAnew(from: Queryable, { id, kind, dueAtMs }: DueWork): Promise<void> {
  await from.query("UPDATE due_work SET due_at = to_timestamp($3) WHERE id = $1 AND kind = $2", [
    id,
    kind,
    seconds(dueAtMs),
  ]);
}

/** Work that is done, or will never be. */
export async function deleteWork(from: Queryable, kind: DueWork["kind"], ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await from.query("DELETE FROM due_work WHERE kind = $1 AND id = ANY($2::uuid[])", [kind, ids]);
}

/** When the next work is due, Unix time in milliseconds. */
export async function findNextDueMs(from: Queryable): Promise<number | undefined> {
  const [row] = await from.query<{ due_at: Date }>("SELECT due_at FROM due_work ORDER BY due_at LIMIT 1");
  return row?.due_at.getTime();
}

/**
 * Takes work that is due, which no other instance is taking now, by moving its time ahead: whoever takes it and
 * does not finish it leaves it to the next who looks then.
 */
export async function takeWork(
  from: Queryable,
  { nowMs, againMs, limit }: { nowMs: number; againMs: number; limit: number },
): Promise<DueWork[]> {
  const rows = await from.query<{ id: string; kind: DueWork["kind"]; due_at: Date }>(
    `UPDATE due_work SET due_at = to_timestamp($2)
     WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM due_work WHERE due_at <= to_timestamp($1) ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED))
     RETURNING id, kind, due_at`,
    [seconds(nowMs), seconds(nowMs + againMs), limit],
  );
  return rows.map(({ id, kind, due_at }) => ({ id, kind, dueAtMs: due_at.getTime() }));
}
