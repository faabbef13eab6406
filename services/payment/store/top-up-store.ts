import { join } from "node:path";
import type { Migrations, Queryable, Transaction } from "@ferry/platform/db";
import type { NewTopUp, TopUpChange, TopUpRow } from "../app/top-up-row.ts";
import type { TopUpState } from "../domain/top-up.ts";

export const paymentMigrations: Migrations = { name: "payment", directory: join(import.meta.dirname, "migrations") };

interface Row {
  id: string;
  member_id: string;
  request_hash: Buffer;
  account_id: string;
  bank_code: string;
  account_number: string;
  currency: string;
  amount_minor: bigint;
  payment_id: string | null;
  state: TopUpState;
  failure_code: string | null;
  failure_message: string | null;
  version: bigint;
  created_at: Date;
  updated_at: Date;
}

function fromRow(row: Row): TopUpRow {
  return {
    id: row.id,
    memberId: row.member_id,
    requestHash: row.request_hash,
    accountId: row.account_id,
    bankCode: row.bank_code,
    accountNumber: row.account_number,
    currency: row.currency,
    amountMinor: row.amount_minor,
    paymentId: row.payment_id ?? undefined,
    state: row.state,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The top-ups of those ids that exist. */
export async function findTopUps(from: Queryable, ids: readonly string[]): Promise<Map<string, TopUpRow>> {
  const rows = await from.query<Row>("SELECT * FROM top_up WHERE id = ANY($1::uuid[])", [ids]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

/** Records a top-up; false when its id is recorded already. One that is being recorded by another transaction is waited for. */
export async function insertTopUp(tx: Transaction, topUp: NewTopUp): Promise<boolean> {
  const rows = await tx.query(
    `INSERT INTO top_up (id, member_id, request_hash, account_id, bank_code, account_number, currency, amount_minor, payment_id, state)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'ACCEPTED') ON CONFLICT (id) DO NOTHING RETURNING id`,
    [
      topUp.id,
      topUp.memberId,
      topUp.requestHash,
      topUp.accountId,
      topUp.bankCode,
      topUp.accountNumber,
      topUp.currency,
      topUp.amountMinor,
      topUp.paymentId ?? null,
    ],
  );
  return rows.length > 0;
}

/** Writes new states, each with a version one higher, and gives the rows as they are now. */
export async function updateTopUps(tx: Transaction, changes: readonly TopUpChange[]): Promise<TopUpRow[]> {
  const rows = await tx.query<Row>(
    `UPDATE top_up SET state = change.state, failure_code = change.code, failure_message = change.message,
       version = version + 1, updated_at = now()
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS change (id, state, code, message)
     WHERE top_up.id = change.id RETURNING top_up.*`,
    [
      changes.map(({ id }) => id),
      changes.map(({ state }) => state),
      changes.map(({ failure }) => failure?.code ?? null),
      changes.map(({ failure }) => failure?.message ?? null),
    ],
  );
  return rows.map(fromRow);
}
