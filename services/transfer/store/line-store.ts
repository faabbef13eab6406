import { type Queryable, type Transaction, textArray } from "@ferry/platform/db";
import type { LineChange, LineCounts, LineRow, NewBatch } from "../app/batch-rows.ts";
import type { LineState, OpenLines } from "../domain/batch.ts";
import type { LineFailure } from "../domain/batch-line.ts";
import type { Destination } from "../domain/transfer.ts";

interface Row {
  line: number;
  state: LineState;
  reference: string;
  source_account_id: string;
  destination_account_id: string | null;
  destination_bank_code: string | null;
  destination_account_number: string | null;
  currency: string;
  amount_minor: bigint | null;
  memo: string;
  transfer_id: string | null;
  failure_code: LineFailure["code"] | null;
  failure_message: string | null;
}

function destinationOf(row: Row): Destination | undefined {
  if (row.destination_account_id !== null) return { kind: "account", accountId: row.destination_account_id };
  if (row.destination_bank_code === null || row.destination_account_number === null) return undefined;
  return { kind: "bank", bankCode: row.destination_bank_code, accountNumber: row.destination_account_number };
}

function fromRow(row: Row): LineRow {
  return {
    line: row.line,
    state: row.state,
    reference: row.reference,
    sourceAccountId: row.source_account_id,
    destination: destinationOf(row),
    currency: row.currency,
    amountMinor: row.amount_minor ?? undefined,
    memo: row.memo,
    transferId: row.transfer_id ?? undefined,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
  };
}

const STATES: Record<NewBatch["lines"][number]["kind"], LineState> = {
  payable: "PENDING",
  refused: "FAILED",
  duplicate: "DUPLICATE",
};

/** Records the lines of a new batch, in one statement. */
export async function insertLines(tx: Transaction, { id, lines }: NewBatch): Promise<void> {
  const column = <T>(pick: (each: NewBatch["lines"][number]) => T) => lines.map(pick);
  const failureOf = (each: NewBatch["lines"][number]) => (each.kind === "payable" ? undefined : each.failure);
  const bankOf = ({ line: { destination } }: NewBatch["lines"][number]) =>
    destination?.kind === "bank" ? destination : undefined;
  await tx.query(
    `INSERT INTO transfer_batch_line (batch_id, line, state, reference, source_account_id, destination_account_id,
       destination_bank_code, destination_account_number, currency, amount_minor, memo, failure_code, failure_message)
     SELECT $1::uuid, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[])`,
    [
      id,
      column(({ line: { line } }) => line),
      column(({ kind }) => STATES[kind]),
      textArray(column(({ line: { reference } }) => reference)),
      textArray(column(({ line: { sourceAccountId } }) => sourceAccountId)),
      textArray(
        column(({ line: { destination } }) => (destination?.kind === "account" ? destination.accountId : null)),
      ),
      textArray(column((each) => bankOf(each)?.bankCode ?? null)),
      textArray(column((each) => bankOf(each)?.accountNumber ?? null)),
      textArray(column(({ line: { currency } }) => currency)),
      column(({ line: { amountMinor } }) => amountMinor),
      textArray(column(({ line: { memo } }) => memo)),
      column((each) => failureOf(each)?.code),
      textArray(column((each) => failureOf(each)?.message ?? null)),
    ],
  );
}

const LINES = "transfer_batch_line WHERE batch_id = $1 AND state";

/** How the lines that are not at their end stand; each part is a look into an index. */
export async function findOpenLines(from: Queryable, batchId: string): Promise<OpenLines> {
  const [row] = await from.query<OpenLines & Record<"running" | "batches" | "ofMember", bigint>>(
    `SELECT EXISTS (SELECT FROM ${LINES} = 'PENDING') AS pending, EXISTS (SELECT FROM ${LINES} = 'HELD') AS held,
       EXISTS (SELECT FROM ${LINES} = 'PARKED') AS parked,
       EXISTS (SELECT FROM ${LINES} = 'FAILED') OR EXISTS (SELECT FROM ${LINES} = 'CANCELED') AS failed,
       (SELECT count(*) FROM ${LINES} = 'RUNNING') AS running, under_way.batches, under_way."ofMember"
     FROM (
       SELECT count(*) AS batches,
         count(*) FILTER (WHERE member_id = (SELECT member_id FROM transfer_batch WHERE id = $1)) AS "ofMember"
       FROM transfer_batch WHERE state IN ('RUNNING', 'STOPPING')
     ) AS under_way`,
    [batchId],
  );
  if (row === undefined) throw new Error("counts gave no row");
  const { running, batches, ofMember } = row;
  return { ...row, running: Number(running), batches: Number(batches), ofMember: Number(ofMember) };
}

/** Lines of a state, in their order, beginning after a line. @param state Undefined: any. */
export async function listLines(
  from: Queryable,
  { batchId, state, after, limit }: { batchId: string; state: LineState | undefined; after: number; limit: number },
): Promise<LineRow[]> {
  const values = [batchId, after, limit, ...(state === undefined ? [] : [state])];
  const wanted = state === undefined ? "" : "AND state = $4";
  const rows = await from.query<Row>(
    `SELECT * FROM transfer_batch_line WHERE batch_id = $1 ${wanted} AND line > $2 ORDER BY line LIMIT $3`,
    values,
  );
  return rows.map(fromRow);
}

/** Lines by state, for each of the batches. */
export async function countLines(from: Queryable, batchIds: readonly string[]): Promise<Map<string, LineCounts>> {
  const counts = new Map<string, LineCounts>(batchIds.map((id) => [id, {}]));
  if (batchIds.length === 0) return counts;
  const rows = await from.query<{ batch_id: string; state: LineState; count: bigint }>(
    `SELECT batch_id, state, count(*) AS count FROM transfer_batch_line WHERE batch_id = ANY($1::uuid[])
     GROUP BY batch_id, state`,
    [batchIds],
  );
  for (const { batch_id, state, count } of rows) Object.assign(counts.get(batch_id) ?? {}, { [state]: Number(count) });
  return counts;
}

/** What becomes of a line that is still pending: its transfer begins, or it failed before. */
export interface BegunLine {
  line: number;
  transferId: string | undefined;
  failure: LineFailure | undefined;
}

/** Takes lines out of PENDING, once: gives the numbers of those that were. The caller has locked the batch. */
export async function beginLines(tx: Transaction, batchId: string, lines: readonly BegunLine[]): Promise<Set<number>> {
  const rows = await tx.query<{ line: number }>(
    `UPDATE transfer_batch_line AS old SET state = CASE WHEN new.transfer_id IS NULL THEN 'FAILED' ELSE 'RUNNING' END,
       transfer_id = new.transfer_id, failure_code = new.code, failure_message = new.message
     FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[])
       AS new (batch_id, line, transfer_id, code, message)
     WHERE old.batch_id = new.batch_id AND old.line = new.line AND old.state = 'PENDING' RETURNING old.line`,
    [
      lines.map(() => batchId), // A constant would let the planner begin with all lines of the batch.
      lines.map(({ line }) => line),
      lines.map(({ transferId }) => transferId),
      lines.map(({ failure }) => failure?.code),
      textArray(lines.map(({ failure }) => failure?.message ?? null)),
    ],
  );
  return new Set(rows.map(({ line }) => line));
}

/** Writes what has become of the transfers of lines, in the order of the lines. */
export async function updateLines(tx: Transaction, changes: readonly LineChange[]): Promise<void> {
  await tx.query(
    `UPDATE transfer_batch_line AS old SET state = new.state, failure_code = new.code, failure_message = new.message
     FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[]) AS new (batch_id, line, state, code, message)
     WHERE old.batch_id = new.batch_id AND old.line = new.line`,
    [
      changes.map(({ batchId }) => batchId),
      changes.map(({ line }) => line),
      changes.map(({ state }) => state),
      changes.map(({ failure }) => failure?.code),
      textArray(changes.map(({ failure }) => failure?.message ?? null)),
    ],
  );
}

/** Lines at the gate, if they are on their way to it: one that has turned back stays as it is. */
export async function holdLines(tx: Transaction, lines: readonly { batchId: string; line: number }[]): Promise<void> {
  await tx.query(
    `UPDATE transfer_batch_line AS old SET state = 'HELD'
     FROM unnest($1::uuid[], $2::integer[]) AS new (batch_id, line)
     WHERE old.batch_id = new.batch_id AND old.line = new.line AND old.state = 'RUNNING'`,
    [lines.map(({ batchId }) => batchId), lines.map(({ line }) => line)],
  );
}

/** Lets lines at the gate go on; gives their transfers' ids. */
export async function releaseLines(tx: Transaction, batchId: string, limit: number): Promise<string[]> {
  const rows = await tx.query<{ transfer_id: string }>(
    `UPDATE transfer_batch_line SET state = 'RUNNING'
     WHERE ctid = ANY (ARRAY (SELECT ctid FROM ${LINES} = 'HELD' ORDER BY line LIMIT $2 FOR UPDATE SKIP LOCKED))
     RETURNING transfer_id`,
    [batchId, limit],
  );
  return rows.map(({ transfer_id }) => transfer_id);
}

/** Ends all lines that have not begun. */
export async function dropPendingLines(
  tx: Transaction,
  batchId: string,
  { state, failure }: { state: LineState; failure: LineFailure },
): Promise<void> {
  await tx.query(
    `UPDATE transfer_batch_line SET state = $2, failure_code = $3, failure_message = $4
    WHERE batch_id = $1 AND state = 'PENDING'`,
    [batchId, state, failure.code, failure.message],
  );
}
