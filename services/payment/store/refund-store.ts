import type { Queryable, Transaction } from "@ferry/platform/db";
import type { Position } from "../app/payment-row.ts";
import type { NewRefund, RefundMove, RefundRow } from "../app/refund-row.ts";
import type { RefundState } from "../domain/refund.ts";
import { BEGINNING } from "./payment-store.ts";

interface Row {
  id: string;
  payment_id: string;
  request_hash: Buffer;
  member_id: string;
  merchant_member_id: string;
  currency: string;
  amount_minor: bigint;
  bank_code: string | null;
  account_number: string | null;
  memo: string;
  state: RefundState;
  failure_code: string | null;
  failure_message: string | null;
  version: bigint;
  created_at: Date;
  updated_at: Date;
}

function bankAccountOf({ bank_code: bankCode, account_number: accountNumber }: Row): RefundRow["bankAccount"] {
  return bankCode === null || accountNumber === null ? undefined : { bankCode, accountNumber };
}

function fromRow(row: Row): RefundRow {
  return {
    id: row.id,
    paymentId: row.payment_id,
    requestHash: row.request_hash,
    memberId: row.member_id,
    merchantMemberId: row.merchant_member_id,
    currency: row.currency,
    amountMinor: row.amount_minor,
    bankAccount: bankAccountOf(row),
    memo: row.memo,
    state: row.state,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const COLUMNS = "refund.*, payment.member_id, payment.merchant_member_id, payment.currency";
const WITH_PAYMENT = `SELECT ${COLUMNS} FROM refund JOIN payment ON payment.id = refund.payment_id`;

/** The refunds of those ids that exist. */
export async function findRefunds(from: Queryable, ids: readonly string[]): Promise<Map<string, RefundRow>> {
  const rows = await from.query<Row>(`${WITH_PAYMENT} WHERE refund.id = ANY($1::uuid[])`, [ids]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

/** Locks refunds in the order of their ids. Unknown ones are left out. */
export async function lockRefunds(tx: Transaction, ids: readonly string[]): Promise<Map<string, RefundRow>> {
  const rows = await tx.query<Row>(
    `${WITH_PAYMENT} WHERE refund.id = ANY($1::uuid[]) ORDER BY refund.id FOR NO KEY UPDATE OF refund`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

const INSERT_REFUND = `INSERT INTO refund (id, payment_id, request_hash, amount_minor, bank_code, account_number, memo, state)
  VALUES ($1, $2, $3, $4, $5, $6, $7, 'REQUESTED') ON CONFLICT (id) DO NOTHING RETURNING id`;

/** Records a refund; false when its id is recorded already. */
export async function insertRefund(tx: Transaction, refund: NewRefund): Promise<boolean> {
  const rows = await tx.query(INSERT_REFUND, [
    ...[refund.id, refund.paymentId, refund.requestHash, refund.amountMinor],
    ...[refund.bankAccount?.bankCode ?? null, refund.bankAccount?.accountNumber ?? null, refund.memo],
  ]);
  return rows.length > 0;
}

const UPDATE_REFUNDS = `UPDATE refund SET state = change.state, failure_code = change.code,
    failure_message = change.message, version = refund.version + 1, updated_at = now()
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS change (id, state, code, message), payment
  WHERE refund.id = change.id AND payment.id = refund.payment_id RETURNING ${COLUMNS}`;

/** Writes new states, each with a version one higher, and gives the rows as they are now. */
export async function updateRefunds(tx: Transaction, moves: readonly RefundMove[]): Promise<RefundRow[]> {
  const rows = await tx.query<Row>(UPDATE_REFUNDS, [
    moves.map(({ id }) => id),
    moves.map(({ state }) => state),
    moves.map(({ failure }) => failure?.code ?? null),
    moves.map(({ failure }) => failure?.message ?? null),
  ]);
  return rows.map(fromRow);
}

/** Doubled eight times, five minutes are a day. */
const TAKE_UNENDED = `UPDATE refund SET announcements = announcements + 1, announced_at = now()
  FROM (
    SELECT id FROM refund
    WHERE state IN ('REQUESTED', 'BOOKED') AND announced_at <= now() - make_interval(secs => $2)
      AND announced_at <= now() - make_interval(secs => $2 * 2 ^ least(announcements - 1, 8))
    ORDER BY announced_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
  ) AS due, payment
  WHERE refund.id = due.id AND payment.id = refund.payment_id RETURNING ${COLUMNS}`;

/** Takes refunds that have not ended so long after their last announcement, which doubles with each; they count as announced. */
export async function takeUnended(tx: Transaction, limit: number, afterMs: number): Promise<RefundRow[]> {
  return (await tx.query<Row>(TAKE_UNENDED, [limit, afterMs / 1_000])).map(fromRow);
}

const LIST_REFUNDS = `SELECT ${COLUMNS}, (extract(epoch FROM refund.created_at) * 1000000)::bigint::text AS position
  FROM refund JOIN payment ON payment.id = refund.payment_id
  WHERE refund.payment_id = $1
    AND (refund.created_at, refund.id) < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3::uuid)
  ORDER BY refund.created_at DESC, refund.id DESC LIMIT $4`;

/** Refunds of a payment, newest first, each with its position for the page that follows it. */
export async function listRefunds(
  from: Queryable,
  { paymentId, limit, after = BEGINNING }: { paymentId: string; limit: number; after: Position | undefined },
): Promise<{ row: RefundRow; position: Position }[]> {
  const rows = await from.query<Row & { position: string }>(LIST_REFUNDS, [paymentId, ...after, limit]);
  return rows.map((row) => ({ row: fromRow(row), position: [row.position, row.id] }));
}
