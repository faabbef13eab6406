/** Calls that are pending although their lease is long over: nobody took them over. */
export const FIND_FORGOTTEN_CALLS = `
  SELECT seq::text, reference::text, row_to_json(bank_call) AS call FROM bank_call
  WHERE seq >= (SELECT seq FROM bank_call_mark WHERE one) AND duration_ms IS NULL
    AND lease_until < now() - make_interval(secs => $1)
  ORDER BY seq LIMIT $2`;

/**
 * The next payments whose end the bank has told, after a number. Below the mark every call is at its end, and no
 * number can appear any more.
 */
export const FIND_ENDED_PAYMENTS = `
  SELECT seq::text, reference::text, bank_code, operation, outcome, currency, amount, account_number FROM bank_call
  WHERE seq > $1::bigint AND seq < (SELECT seq FROM bank_call_mark WHERE one)
    AND operation IN ('send', 'collect') AND outcome IN ('done', 'refused')
  ORDER BY seq LIMIT $2`;

/** How far the calls have come. */
export const READ_MARK = "SELECT seq::text FROM bank_call_mark WHERE one";

/** What is known of payments: done as soon as any answer said so, that to a void too; the amounts stand with what was asked for. */
export const FIND_PAYMENTS = `
  SELECT asked.reference::text, bool_or(outcome = 'done') AS done, bool_or(outcome = 'refused') AS refused,
    max(currency) AS currency, max(amount) AS amount, max(account_number) AS account_number, max(bank_code) AS bank_code
  FROM unnest($1::uuid[]) AS asked (reference)
  JOIN bank_call ON bank_call.reference = asked.reference
  WHERE operation IN ('send', 'collect', 'inquire', 'void')
  GROUP BY asked.reference HAVING bool_or(operation <> 'void')`;
