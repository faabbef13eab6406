// What the books must say of payments and refunds. Nobody coordinates a refund, so its three records
// (payment's, the ledger's, banking's) are compared with each other and with the bank's.
import type { Breach, Movement, Posted } from "./check.ts";
import type { BooksSources } from "./sources.ts";

export const PAYMENT_BREACHES: Breach[] = [
  [
    "payment",
    "a payment has not ended",
    "SELECT id, state AS detail FROM payment WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED', 'PARKED') AND NOT EXISTS (SELECT FROM saga AS child WHERE child.parent_id = payment.id AND child.status = 'parked')",
  ],
  [
    "payment",
    "a payment failed or is parked without a reason",
    "SELECT id, state AS detail FROM payment WHERE state IN ('FAILED', 'CANCELED', 'PARKED') AND failure_code IS NULL",
  ],
  [
    "payment",
    "a payment has no saga",
    "SELECT id FROM payment WHERE NOT EXISTS (SELECT FROM saga WHERE saga.id = payment.id)",
  ],
  [
    "payment",
    "a top-up belongs to no payment that knows of it",
    "SELECT id FROM top_up WHERE payment_id IS NOT NULL AND NOT EXISTS (SELECT FROM payment WHERE payment.id = payment_id AND payment.top_up_id = top_up.id)",
  ],
  [
    "payment",
    "a refund has not ended",
    "SELECT id, state AS detail FROM refund WHERE state NOT IN ('COMPLETED', 'FAILED')",
  ],
  [
    "payment",
    "a refund is of a payment that was not completed",
    "SELECT refund.id, payment.state AS detail FROM refund JOIN payment ON payment.id = payment_id WHERE payment.state <> 'COMPLETED'",
  ],
  [
    "payment",
    "a payment's refunds are not what it counts, or more than was paid",
    "SELECT id, refunded_minor || ' of ' || amount_minor || ', refunds ' || total AS detail FROM payment, LATERAL (SELECT coalesce(sum(amount_minor), 0) AS total FROM refund WHERE payment_id = payment.id AND state <> 'FAILED') AS refunds WHERE refunded_minor <> total OR total > amount_minor",
  ],
  [
    "banking",
    "a refund's payout has not ended",
    "SELECT refund_id AS id, attempts::text AS detail FROM refund_payout WHERE state = 'paying'",
  ],
];

/** A refund as payment's books say it, with what banking's say of its payout. */
export interface RefundInBooks extends Movement {
  /** Undefined: banking never heard of it. */
  payout: string | undefined;
}

export async function readRefunds(sources: BooksSources): Promise<RefundInBooks[]> {
  const refunds = await sources.query<Movement>(
    "payment",
    "SELECT refund.id, refund.state, currency, refund.amount_minor AS amount, bank_code IS NOT NULL AS external, account_number AS account FROM refund JOIN payment ON payment.id = payment_id",
  );
  const payouts = await sources.query<{ id: string; state: string }>(
    "banking",
    "SELECT refund_id AS id, state FROM refund_payout",
  );
  const states = new Map(payouts.map(({ id, state }) => [id, state]));
  return refunds.map((refund) => ({ ...refund, payout: states.get(refund.id) }));
}

/** What the ledger must have taken from merchants: what was completed, and what failed only after it was booked. */
export function refundsBooked(refunds: readonly RefundInBooks[], posted: readonly Posted[]): Movement[] {
  const known = new Set(posted.map(({ id }) => id));
  return refunds.map((refund) => ({
    ...refund,
    state:
      refund.state === "FAILED" && refund.payout === "not-paid" && known.has(refund.id) ? "COMPLETED" : refund.state,
  }));
}

/** What must have come back to merchants: what was taken from them for a refund that failed, and nothing else. */
export function refundsTakenBack(refunds: readonly RefundInBooks[], posted: readonly Posted[]): Movement[] {
  const known = new Set(posted.map(({ id }) => id));
  return refunds.map((refund) => ({
    ...refund,
    state: refund.state === "FAILED" && known.has(refund.id) ? "COMPLETED" : "FAILED",
  }));
}

/** Refunds that went to a bank, as it must have recorded them: what banking says was paid, and payment says is completed. */
export function refundsAtBank(refunds: readonly RefundInBooks[]): Movement[] {
  return refunds
    .filter(({ external }) => external)
    .map((refund) => ({
      ...refund,
      // Where the two disagree the bank's record is wrong by one of them, and a finding says so.
      state: refund.state === "COMPLETED" || refund.payout === "paid" ? "COMPLETED" : "FAILED",
    }));
}
