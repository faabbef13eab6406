import { orLostRace } from "@ferry/platform/db";

const INSERT = `INSERT INTO bank_call (reference, id, bank_code, operation, account_number, currency, amount, memo,
    member_id, reply_to, saga_id, saga_step, traceparent, lease_until)
  SELECT *, now() + make_interval(secs => $14) FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
    $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])`;
const RECORDED = "RETURNING seq, reference, id";

/**
 * Records calls that are all new. ON CONFLICT would look into the index once more before each insert and
 * log each row a second time, so it is left to the sets that something of comes again.
 */
export const INSERT_CALLS = `${INSERT} ${RECORDED}`;

export const INSERT_NEW_CALLS = `${INSERT} ON CONFLICT (reference, id) DO NOTHING ${RECORDED}`;

export const RENEW_LEASES = `UPDATE bank_call SET lease_until = now() + make_interval(secs => $2)
  WHERE seq = ANY($1::bigint[]) AND duration_ms IS NULL`;

export const TAKE_OVERDUE_CALLS = `UPDATE bank_call SET lease_until = now() + make_interval(secs => $2)
  WHERE seq IN (SELECT seq FROM bank_call
    WHERE seq >= (SELECT seq FROM bank_call_mark WHERE one) AND duration_ms IS NULL AND lease_until <= now()
    ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED)
  RETURNING seq, reference, id, bank_code, operation, account_number, currency, amount, memo, member_id, reply_to,
    saga_id, saga_step, traceparent,
    operation IN ('send', 'collect') AND EXISTS (SELECT FROM bank_call AS void
      WHERE void.reference = bank_call.reference AND void.operation = 'void') AS voided`;

/**
 * Moves the mark behind the last call before the first that is pending or young; not to that one itself, as a call
 * takes its number before others can see it. It is recorded in a statement of its own, which ends, as every
 * transaction of a service, within 5 s: what is numbered below a call of over 15 s is seen, or never will be.
 */
export const MOVE_MARK = `UPDATE bank_call_mark AS mark SET seq = reached.seq
  FROM (SELECT max(seq) + 1 AS seq FROM bank_call WHERE seq < coalesce(
    (SELECT seq FROM bank_call
     WHERE seq >= (SELECT seq FROM bank_call_mark WHERE one)
       AND (duration_ms IS NULL OR started_at > now() - interval '15 seconds')
     ORDER BY seq LIMIT 1),
    9223372036854775807)) AS reached
  WHERE mark.one AND mark.seq < reached.seq`;

export const FINISH_CALLS = `UPDATE bank_call SET outcome = done.outcome, failure_code = done.code,
    failure_message = done.message, detail = done.detail, duration_ms = done.duration_ms
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[])
    AS done (seq, outcome, code, message, detail, duration_ms)
  WHERE bank_call.seq = done.seq AND bank_call.duration_ms IS NULL RETURNING bank_call.seq`;

/** The same where all are pending; else it fails as a lost race. */
export const FINISH_PENDING_CALLS = `WITH finished AS (${FINISH_CALLS})
  SELECT ${orLostRace("cardinality($1::bigint[])")} FROM finished`;

export const FIND_PAID_REFERENCES = `SELECT DISTINCT reference FROM bank_call
  WHERE reference = ANY($1::uuid[]) AND operation IN ('send', 'collect')`;

/** What was refused for want of a connection, or as voided, never reached a bank. */
const NEVER_SENT = "coalesce(failure_code IN ('BANK_UNKNOWN', 'PAYMENT_VOIDED'), false)";

export const FIND_EARLIER_PAYMENT = `SELECT 1 FROM bank_call
  WHERE reference = $1 AND seq < $2 AND operation IN ('send', 'collect') AND NOT ${NEVER_SENT} LIMIT 1`;

export const FIND_VOIDED_REFERENCES = `SELECT DISTINCT reference FROM bank_call
  WHERE reference = ANY($1::uuid[]) AND operation = 'void'`;

/**
 * What is recorded of payments under a reference, beside the call of a number. A call ends within its lease, which
 * nothing lengthens once it has ended: so the leases tell since when nothing has been under way. A refusal is the
 * bank's first, code and message of one call.
 */
export const FIND_PAYMENT_FACTS = `SELECT
    coalesce(bool_or(outcome = 'done'), false) AS done,
    (array_agg(failure_code ORDER BY seq) FILTER (WHERE outcome = 'refused' AND NOT ${NEVER_SENT}))[1] AS refusal_code,
    (array_agg(failure_message ORDER BY seq) FILTER (WHERE outcome = 'refused' AND NOT ${NEVER_SENT}))[1]
      AS refusal_message,
    coalesce(bool_or(operation <> 'inquire' AND duration_ms IS NULL), false) AS under_way,
    coalesce(bool_or(operation <> 'inquire' AND NOT ${NEVER_SENT}), false) AS asked,
    coalesce(max(lease_until) FILTER (WHERE operation <> 'inquire' AND NOT ${NEVER_SENT})
      < now() - make_interval(secs => $3), true) AS quiet
  FROM bank_call WHERE reference = $1 AND seq <> $2 AND operation IN ('send', 'collect', 'inquire')`;

export const LIST_CALLS = `SELECT id, reference, bank_code, operation, outcome, detail, started_at, duration_ms
  FROM bank_call WHERE reference = $1 ORDER BY started_at, seq LIMIT $2`;
