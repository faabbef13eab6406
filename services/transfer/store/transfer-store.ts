import { join } from "node:path";
import { type Migrations, orLostRace, type Queryable, type Transaction, textArray } from "@ferry/platform/db";
import type { NewTransfer, TransferChange, TransferRow } from "../app/transfer-row.ts";
import { type Destination, initialStateOf, type TransferState } from "../domain/transfer.ts";

export const transferMigrations: Migrations = { name: "transfer", directory: join(import.meta.dirname, "migrations") };

interface Row {
  id: string;
  member_id: string;
  request_hash: Buffer;
  source_account_id: string;
  destination_account_id: string | null;
  destination_bank_code: string | null;
  destination_account_number: string | null;
  currency: string;
  amount_minor: bigint;
  memo: string;
  execute_at: Date | null;
  expire_at: Date | null;
  batch_id: string | null;
  batch_line: number | null;
  state: TransferState;
  failure_code: string | null;
  failure_message: string | null;
  version: bigint;
  created_at: Date;
  updated_at: Date;
}

function destinationOf(row: Row): Destination {
  if (row.destination_account_id !== null) return { kind: "account", accountId: row.destination_account_id };
  return {
    kind: "bank",
    bankCode: row.destination_bank_code ?? "",
    accountNumber: row.destination_account_number ?? "",
  };
}

function fromRow(row: Row): TransferRow {
  return {
    id: row.id,
    memberId: row.member_id,
    requestHash: row.request_hash,
    sourceAccountId: row.source_account_id,
    destination: destinationOf(row),
    currency: row.currency,
    amountMinor: row.amount_minor,
    memo: row.memo,
    executeAtMs: row.execute_at?.getTime(),
    expireAtMs: row.expire_at?.getTime(),
    batch: row.batch_id === null ? undefined : { id: row.batch_id, line: row.batch_line ?? 0 },
    state: row.state,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export const FIND_TRANSFERS = "SELECT * FROM transfer WHERE id = ANY($1::uuid[])";

/** The transfers of those ids that exist. */
export async function findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>> {
  const rows = await from.query<Row>(FIND_TRANSFERS, [ids]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

const INSERT_TRANSFERS = `
  INSERT INTO transfer (id, member_id, request_hash, source_account_id, destination_account_id, destination_bank_code,
    destination_account_number, currency, amount_minor, memo, state, created_at, updated_at)
  SELECT *, 'ACCEPTED', $11, $11 FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::uuid[], $5::uuid[], $6::text[],
    $7::text[], $8::text[], $9::bigint[], $10::text[])
  ON CONFLICT (id) DO NOTHING RETURNING id`;

/** As above, with what few transfers have: a state of its own, times, a batch. */
const INSERT_PLANNED_TRANSFERS = `
  INSERT INTO transfer (id, member_id, request_hash, source_account_id, destination_account_id, destination_bank_code,
    destination_account_number, currency, amount_minor, memo, created_at, updated_at, state, execute_at, expire_at,
    batch_id, batch_line)
  SELECT id, member, hash, source, account, bank, number, currency, amount, memo, $11, $11, state,
    to_timestamp(execute), to_timestamp(expire), batch, line
  FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::text[], $12::text[], $13::double precision[], $14::double precision[], $15::uuid[],
    $16::integer[]) AS new (id, member, hash, source, account, bank, number, currency, amount, memo, state, execute,
    expire, batch, line)
  ON CONFLICT (id) DO NOTHING RETURNING id`;

const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);

function isPlain({ executeAtMs, expireAtMs, batch }: NewTransfer): boolean {
  return executeAtMs === undefined && expireAtMs === undefined && batch === undefined;
}

const ALL_OF_THEM = `SELECT ${orLostRace("cardinality($1::uuid[])")} FROM recorded`;
const INSERT_NEW_TRANSFERS = `WITH recorded AS (${INSERT_TRANSFERS}) ${ALL_OF_THEM}`;
const INSERT_NEW_PLANNED_TRANSFERS = `WITH recorded AS (${INSERT_PLANNED_TRANSFERS}) ${ALL_OF_THEM}`;

function idsOf(rows: readonly { id?: unknown }[]): Set<string> {
  return new Set(rows.map(({ id }) => id as string));
}

/** The arrays of INSERT_TRANSFERS, in its order, and those of INSERT_PLANNED_TRANSFERS where one is planned. */
function columnsOf(transfers: readonly NewTransfer[], now: Date): unknown[] {
  const column = <T>(pick: (transfer: NewTransfer) => T) => transfers.map(pick);
  const values = [
    column(({ id }) => id),
    column(({ memberId }) => memberId),
    column(({ requestHash }) => requestHash),
    column(({ sourceAccountId }) => sourceAccountId),
    column(({ destination }) => (destination.kind === "account" ? destination.accountId : null)),
    column(({ destination }) => (destination.kind === "bank" ? destination.bankCode : null)),
    column(({ destination }) => (destination.kind === "bank" ? destination.accountNumber : null)),
    column(({ currency }) => currency),
    column(({ amountMinor }) => amountMinor),
    textArray(column(({ memo }) => memo)),
    now,
  ];
  if (transfers.every(isPlain)) return values;
  const planned = [
    column(initialStateOf),
    column(({ executeAtMs }) => seconds(executeAtMs)),
    column(({ expireAtMs }) => seconds(expireAtMs)),
    column(({ batch }) => batch?.id),
    column(({ batch }) => batch?.line),
  ];
  return [...values, ...planned];
}

/** Records transfers; gives the ids of those that were new. One that is being recorded by another transaction is waited for. */
export async function insertTransfers(
  tx: Transaction,
  transfers: readonly NewTransfer[],
  now: Date,
): Promise<Set<string>> {
  const insert = transfers.every(isPlain) ? INSERT_TRANSFERS : INSERT_PLANNED_TRANSFERS;
  return idsOf(await tx.query(insert, columnsOf(transfers, now)));
}

/** Records transfers that are all new; when one is not, the statement fails as a lost race. */
export async function insertNewTransfers(tx: Transaction, transfers: readonly NewTransfer[], now: Date): Promise<void> {
  const insert = transfers.every(isPlain) ? INSERT_NEW_TRANSFERS : INSERT_NEW_PLANNED_TRANSFERS;
  await tx.query(insert, columnsOf(transfers, now));
}

/** Takes transfers out of SCHEDULED, once: gives the ids of those that were. They begin, or end without ever having begun. */
export async function leaveSchedule(tx: Transaction, transfers: readonly TransferChange[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(
    `UPDATE transfer SET state = change.state, failure_code = change.code, failure_message = change.message,
       version = change.version, updated_at = $6
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS change (id, state, code, message, version)
     WHERE transfer.id = change.id AND transfer.state = 'SCHEDULED' RETURNING transfer.id`,
    [
      transfers.map(({ id }) => id),
      transfers.map(({ state }) => state),
      transfers.map(({ failure }) => failure?.code),
      transfers.map(({ failure }) => failure?.message),
      transfers.map(({ version }) => version),
      transfers[0]?.updatedAt,
    ],
  );
  return new Set(rows.map(({ id }) => id));
}

export const UPDATE_TRANSFERS = `
  UPDATE transfer SET state = change.state, failure_code = change.code, failure_message = change.message,
    version = change.version, updated_at = $6
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS change (id, state, code, message, version)
  WHERE transfer.id = change.id`;

/** Writes new states; `updatedAt` is the same for all of a set. */
export async function updateTransfers(tx: Transaction, changes: readonly TransferChange[]): Promise<void> {
  await tx.query(UPDATE_TRANSFERS, [
    changes.map(({ id }) => id),
    changes.map(({ state }) => state),
    changes.map(({ failure }) => failure?.code),
    changes.map(({ failure }) => failure?.message),
    changes.map(({ version }) => version),
    changes[0]?.updatedAt,
  ]);
}

/** Later than any transfer: where the first page begins. Always there, so that one plan, by the index, serves every page. */
const BEGINNING = ["9999999999999999", "ffffffff-ffff-ffff-ffff-ffffffffffff"] as const;

export const LIST_TRANSFERS = `SELECT *, (extract(epoch FROM created_at) * 1000000)::bigint::text AS position FROM transfer
  WHERE member_id = $1 AND ($2::text[] IS NULL OR state = ANY ($2))
    AND (created_at, id) < ('epoch'::timestamptz + $3::bigint * interval '1 microsecond', $4::uuid)
  ORDER BY created_at DESC, id DESC LIMIT $5`;

/**
 * A member's transfers, newest first.
 *
 * @param after Creation time (microseconds since 1970, digits) and id of the last row of the page before.
 */
export async function listTransfers(
  from: Queryable,
  page: {
    memberId: string;
    /** As the rows have it; undefined: all. */
    states: readonly TransferState[] | undefined;
    limit: number;
    after: readonly [time: string, id: string] | undefined;
  },
): Promise<{ transfer: TransferRow; position: [time: string, id: string] }[]> {
  const [time, id] = page.after ?? BEGINNING;
  const values = [page.memberId, page.states ?? null, time, id, page.limit];
  const rows = await from.query<Row & { position: string }>(LIST_TRANSFERS, values);
  return rows.map((row) => ({ transfer: fromRow(row), position: [row.position, row.id] }));
}
