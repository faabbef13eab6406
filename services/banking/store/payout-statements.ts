export const INSERT_PAYOUTS = `INSERT INTO refund_payout (refund_id, payment_id, merchant_account_id, bank_code,
    account_number, currency, amount, memo, traceparent)
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
    $9::text[])
  ON CONFLICT (refund_id) DO NOTHING`;

const COLUMNS = `refund_payout.refund_id, payment_id, merchant_account_id, bank_code, account_number, currency, amount,
  memo, traceparent`;

export const FIND_ENDED_PAYOUTS = `SELECT ${COLUMNS}, failure_code, failure_message FROM refund_payout
  WHERE refund_id = ANY($1::uuid[]) AND state <> 'paying'`;

/** Whoever takes one asks next what became of it, unless the call of this turn says otherwise: it may die before it can. */
export const TAKE_DUE_PAYOUTS = `UPDATE refund_payout SET due_at = now() + make_interval(secs => $2),
    attempts = attempts + 1, next = 'inquire'
  FROM (SELECT refund_id, next AS turn FROM refund_payout WHERE state = 'paying' AND due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
  WHERE refund_payout.refund_id = due.refund_id
  RETURNING ${COLUMNS}, attempts, due.turn AS next`;

export const SAVE_PAYOUTS = `UPDATE refund_payout SET state = change.state, next = change.next,
    due_at = now() + make_interval(secs => change.pause), failure_code = change.code, failure_message = change.message
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::double precision[], $5::text[], $6::text[])
    AS change (refund_id, state, next, pause, code, message)
  WHERE refund_payout.refund_id = change.refund_id AND refund_payout.state = 'paying' RETURNING refund_payout.refund_id`;
