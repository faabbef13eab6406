import type { Queryable, Transaction } from "@ferry/platform/db";
import type { NewPayment, PaymentChange, PaymentRow, Position } from "../app/payment-row.ts";
import type { PaymentState } from "../domain/payment.ts";

interface Row {
  id: string;
  member_id: string;
  request_hash: Buffer;
  source_account_id: string;
  merchant_member_id: string;
  merchant_account_id: string;
  currency: string;
  amount_minor: bigint;
  memo: string;
  top_up_bank_code: string | null;
  top_up_account_number: string | null;
  top_up_amount_minor: bigint | null;
  top_up_id: string | null;
  refunded_minor: bigint;
  state: PaymentState;
  failure_code: string | null;
  failure_message: string | null;
  version: bigint;
  created_at: Date;
  updated_at: Date;
}

function topUpOf({ top_up_bank_code: bankCode, top_up_account_number: accountNumber, top_up_amount_minor }: Row) {
  if (bankCode === null || accountNumber === null) return undefined;
  return { bankCode, accountNumber, amountMinor: top_up_amount_minor ?? undefined };
}

function fromRow(row: Row): PaymentRow {
  return {
    id: row.id,
    memberId: row.member_id,
    requestHash: row.request_hash,
    sourceAccountId: row.source_account_id,
    merchantMemberId: row.merchant_member_id,
    merchantAccountId: row.merchant_account_id,
    currency: row.currency,
    amountMinor: row.amount_minor,
    memo: row.memo,
    topUp: topUpOf(row),
    topUpId: row.top_up_id ?? undefined,
    refundedMinor: row.refunded_minor,
    state: row.state,
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** The payments of those ids that exist. */
export async function findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>> {
  const rows = await from.query<Row>("SELECT * FROM payment WHERE id = ANY($1::uuid[])", [ids]);
  return new Map(rows.map((row) => [row.id, fromRow(row)]));
}

/** Locks one payment, so that what is refunded of it is counted by one at a time. */
export async function lockPayment(tx: Transaction, id: string): Promise<PaymentRow | undefined> {
  const [row] = await tx.query<Row>("SELECT * FROM payment WHERE id = $1 FOR NO KEY UPDATE", [id]);
  return row === undefined ? undefined : fromRow(row);
}

const INSERT_PAYMENT = `INSERT INTO payment (id, member_id, request_hash, source_account_id, merchant_member_id,
    merchant_account_id, currency, amount_minor, memo, top_up_bank_code, top_up_account_number, top_up_amount_minor, state)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'ACCEPTED') ON CONFLICT (id) DO NOTHING RETURNING id`;

/** Records a payment; false when its id is recorded already. One that is being recorded by another transaction is waited for. */
export async function insertPayment(
  tx: Transaction,
  payment: NewPayment & { merchantMemberId: string },
): Promise<boolean> {
  const { topUp } = payment;
  const rows = await tx.query(INSERT_PAYMENT, [
    ...[payment.id, payment.memberId, payment.requestHash, payment.sourceAccountId, payment.merchantMemberId],
    ...[payment.merchantAccountId, payment.currency, payment.amountMinor, payment.memo],
    ...[topUp?.bankCode ?? null, topUp?.accountNumber ?? null, topUp?.amountMinor ?? null],
  ]);
  return rows.length > 0;
}

const UPDATE_PAYMENTS = `UPDATE payment SET state = change.state, failure_code = change.code,
    failure_message = change.message, top_up_id = coalesce(change.top_up_id, payment.top_up_id), version = version + 1,
    updated_at = now()
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[]) AS change (id, state, code, message, top_up_id)
  WHERE payment.id = change.id RETURNING payment.*`;

/** Writes new states, each with a version one higher, and gives the rows as they are now. */
export async function updatePayments(tx: Transaction, changes: readonly PaymentChange[]): Promise<PaymentRow[]> {
  const rows = await tx.query<Row>(UPDATE_PAYMENTS, [
    changes.map(({ id }) => id),
    changes.map(({ state }) => state),
    changes.map(({ failure }) => failure?.code ?? null),
    changes.map(({ failure }) => failure?.message ?? null),
    changes.map(({ topUpId }) => topUpId ?? null),
  ]);
  return rows.map(fromRow);
}

const ADD_REFUNDED = `UPDATE payment SET refunded_minor = refunded_minor + change.amount, version = version + 1,
    updated_at = now()
  FROM (SELECT id, sum(amount)::bigint AS amount FROM unnest($1::uuid[], $2::bigint[]) AS each (id, amount) GROUP BY id) AS change
  WHERE payment.id = change.id`;

/**
 * Counts refunds; an amount below zero gives back what was counted.
 *
 * @throws when a payment would have more refunded than was paid: a constraint holds that, whoever counts.
 */
export async function addRefunded(
  tx: Transaction,
  refunds: readonly { paymentId: string; amountMinor: bigint }[],
): Promise<void> {
  if (refunds.length === 0) return;
  await tx.query(ADD_REFUNDED, [
    refunds.map(({ paymentId }) => paymentId),
    refunds.map(({ amountMinor }) => amountMinor),
  ]);
}

/** Later than any row: where the first page begins. Always there, so that one plan, by the index, serves every page. */
export const BEGINNING: Position = ["9999999999999999", "ffffffff-ffff-ffff-ffff-ffffffffffff"];

const POSITION = "(extract(epoch FROM created_at) * 1000000)::bigint::text AS position";
const BEFORE = "(created_at, id) < ('epoch'::timestamptz + $3::bigint * interval '1 microsecond', $4::uuid)";

const LIST_MADE = `SELECT *, ${POSITION} FROM payment
  WHERE member_id = $1 AND ($2::text IS NULL OR state = $2) AND ${BEFORE}
  ORDER BY created_at DESC, id DESC LIMIT $5`;

const LIST_RECEIVED = `SELECT *, ${POSITION} FROM payment
  WHERE merchant_member_id = $1 AND state = 'COMPLETED' AND ($2::text IS NULL OR state = $2) AND ${BEFORE}
  ORDER BY created_at DESC, id DESC LIMIT $5`;

export interface PaymentPage {
  memberId: string;
  /** Those that the member received, instead of those that the member made. */
  received: boolean;
  state: PaymentState | undefined;
  limit: number;
  after: Position | undefined;
}

/** Payments of a member, newest first, each with its position for the page that follows it. */
export async function listPayments(
  from: Queryable,
  { memberId, received, state, limit, after = BEGINNING }: PaymentPage,
): Promise<{ row: PaymentRow; position: Position }[]> {
  const values = [memberId, state ?? null, ...after, limit];
  const rows = await from.query<Row & { position: string }>(received ? LIST_RECEIVED : LIST_MADE, values);
  return rows.map((row) => ({ row: fromRow(row), position: [row.position, row.id] }));
}
