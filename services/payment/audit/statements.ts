import type { MovementKind } from "./agree.ts";

/** A kind of movement in one form, whichever table it is in. */
const MOVEMENTS: Record<MovementKind, string> = {
  "top-up": `SELECT top_up.id, top_up.created_at, top_up.updated_at, top_up.state, top_up.failure_code, top_up.currency,
      top_up.amount_minor, top_up.account_id, top_up.bank_code, top_up.account_number, saga.status AS saga,
      saga.progress::text LIKE '%"skipped"%' AS skipped
    FROM top_up LEFT JOIN saga ON saga.id = top_up.id`,
  payment: `SELECT payment.id, payment.created_at, payment.updated_at, payment.state, payment.failure_code,
      payment.currency, payment.amount_minor, payment.source_account_id AS account_id, NULL::text AS bank_code,
      NULL::text AS account_number, saga.status AS saga, saga.progress::text LIKE '%"skipped"%' AS skipped
    FROM payment LEFT JOIN saga ON saga.id = payment.id`,
  refund: `SELECT refund.id, refund.created_at, refund.updated_at, refund.state, refund.failure_code, payment.currency,
      refund.amount_minor, payment.merchant_account_id AS account_id, refund.bank_code, refund.account_number,
      NULL::text AS saga, false AS skipped
    FROM refund JOIN payment ON payment.id = refund.payment_id`,
};

const TABLES: Record<MovementKind, string> = { "top-up": "top_up", payment: "payment", refund: "refund" };

const SHOWN = `SELECT id::text, state, failure_code AS failure, currency, amount_minor AS amount,
  account_id::text AS account, bank_code, account_number, saga, skipped,
  updated_at < now() - interval '7 days' AS is_old FROM`;

/** The statements of one kind of movement. They are made once, so their texts are constants. */
export function statementsOf(kind: MovementKind) {
  const table = TABLES[kind];
  return {
    /** The first of a stretch of time: how many there are, up to a limit, and the time of the last. */
    measure: `SELECT count(*) AS rows, max(created_at)::text AS last FROM (
        SELECT created_at FROM ${table} WHERE created_at > $1::timestamptz AND created_at <= $2::timestamptz
        ORDER BY created_at LIMIT $3
      ) AS first`,
    look: `${SHOWN} (${MOVEMENTS[kind]}
      WHERE ${table}.created_at > $1::timestamptz AND ${table}.created_at <= $2::timestamptz) AS movement`,
    lookAgain: `${SHOWN} (${MOVEMENTS[kind]} WHERE ${table}.id = ANY($1::uuid[])) AS movement`,
  };
}
