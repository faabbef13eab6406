import { type Transaction, textArray } from "@ferry/platform/db";
import type { DuePayout, NewPayout, PayoutChange, PayoutEnd } from "../app/payout.ts";
import { FIND_ENDED_PAYOUTS, INSERT_PAYOUTS, SAVE_PAYOUTS, TAKE_DUE_PAYOUTS } from "./payout-statements.ts";

interface Row {
  refund_id: string;
  payment_id: string;
  merchant_account_id: string;
  bank_code: string;
  account_number: string;
  currency: string;
  amount: bigint;
  memo: string;
  traceparent: string | null;
}

function fromRow(row: Row): NewPayout {
  return {
    refundId: row.refund_id,
    paymentId: row.payment_id,
    merchantAccountId: row.merchant_account_id,
    bankCode: row.bank_code,
    accountNumber: row.account_number,
    currency: row.currency,
    amountMinor: row.amount,
    memo: row.memo,
    traceparent: row.traceparent ?? undefined,
  };
}

/** Records payouts; those that are recorded already stay as they are. */
export async function insertPayouts(tx: Transaction, payouts: readonly NewPayout[]): Promise<void> {
  const ordered = payouts.toSorted((a, b) => (a.refundId < b.refundId ? -1 : 1)); // Two sets with the same refunds do not deadlock.
  await tx.query(INSERT_PAYOUTS, [
    ordered.map(({ refundId }) => refundId),
    ordered.map(({ paymentId }) => paymentId),
    ordered.map(({ merchantAccountId }) => merchantAccountId),
    ordered.map(({ bankCode }) => bankCode),
    ordered.map(({ accountNumber }) => accountNumber),
    ordered.map(({ currency }) => currency),
    ordered.map(({ amountMinor }) => amountMinor),
    textArray(ordered.map(({ memo }) => memo)),
    ordered.map(({ traceparent }) => traceparent ?? null),
  ]);
}

/** Those of the refunds whose payouts have ended, and how. */
export async function findEndedPayouts(tx: Transaction, refundIds: readonly string[]): Promise<PayoutEnd[]> {
  const rows = await tx.query<Row & { failure_code: string | null; failure_message: string | null }>(
    FIND_ENDED_PAYOUTS,
    [refundIds],
  );
  return rows.map((row) => ({
    payout: fromRow(row),
    failure: row.failure_code === null ? undefined : { code: row.failure_code, message: row.failure_message ?? "" },
  }));
}

/** Takes payouts that are due, the longest waiting first, for a lease; nobody else takes them before it is over. */
export async function takeDuePayouts(tx: Transaction, limit: number, leaseMs: number): Promise<DuePayout[]> {
  const rows = await tx.query<Row & Pick<DuePayout, "next" | "attempts">>(TAKE_DUE_PAYOUTS, [limit, leaseMs / 1_000]);
  return rows.map((row) => ({ ...fromRow(row), next: row.next, attempts: row.attempts }));
}

function columnsOf(change: PayoutChange) {
  if ("next" in change) return { state: "paying", next: change.next, pauseMs: change.pauseMs, failure: undefined };
  const { failure } = change;
  return { state: failure === undefined ? "paid" : "not-paid", next: "inquire", pauseMs: 0, failure };
}

/** Writes what became of calls; gives the refunds whose payouts were still under way. */
export async function savePayouts(tx: Transaction, changes: readonly PayoutChange[]): Promise<Set<string>> {
  const columns = changes.map(columnsOf);
  const rows = await tx.query<{ refund_id: string }>(SAVE_PAYOUTS, [
    changes.map(({ payout }) => payout.refundId),
    columns.map(({ state }) => state),
    columns.map(({ next }) => next),
    columns.map(({ pauseMs }) => pauseMs / 1_000),
    columns.map(({ failure }) => failure?.code ?? null),
    columns.map(({ failure }) => failure?.message ?? null),
  ]);
  return new Set(rows.map(({ refund_id }) => refund_id));
}
