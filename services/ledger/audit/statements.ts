/** The first postings of a stretch of time: how many there are, up to a limit, and the time of the last. */
export const MEASURE_ENTRIES = `
  SELECT count(*) AS rows, max(created_at)::text AS last FROM (
    SELECT created_at FROM entry WHERE created_at > $1::timestamptz AND created_at <= $2::timestamptz
    ORDER BY created_at LIMIT $3
  ) AS first`;

/**
 * What does not hold of the postings of a stretch of time, one row for each breach. Both postings of a movement
 * are written by one statement and have its time, so that they are in the stretch together. The rest is looked
 * up by key: the posting before, the newest of the account, the hold or credit that was the reason.
 */
export const FIND_WRONG_ENTRIES = `
  WITH chunk AS MATERIALIZED (
    SELECT entry.*, account.currency, account.kind FROM entry JOIN account ON account.id = entry.account_id
    WHERE entry.created_at > $1::timestamptz AND entry.created_at <= $2::timestamptz
  ), newest AS MATERIALIZED (
    SELECT account.*, last.version AS last_version, last.balance_after AS last_balance
    FROM (SELECT DISTINCT account_id FROM chunk) AS touched
    JOIN account ON account.id = touched.account_id
    CROSS JOIN LATERAL (
      SELECT version, balance_after FROM entry WHERE account_id = touched.account_id
      ORDER BY account_id, version DESC LIMIT 1
    ) AS last
  )
  SELECT 'unbalanced' AS what, reference::text AS subject, array_agg(account_id)::text[] AS accounts,
    json_agg(row_to_json(chunk)) AS rows
  FROM chunk GROUP BY reference, split_part(leg, '-', 1)
  HAVING sum(amount) <> 0 OR count(*) <> 2 OR count(DISTINCT currency) <> 1
  UNION ALL
  SELECT 'chain', chunk.account_id || ':' || chunk.version, ARRAY[chunk.account_id]::text[],
    json_build_array(row_to_json(chunk), row_to_json(before))
  FROM chunk LEFT JOIN LATERAL (
    SELECT version, balance_after, reference FROM entry
    WHERE account_id = chunk.account_id AND version < chunk.version ORDER BY account_id, version DESC LIMIT 1
  ) AS before ON true
  WHERE coalesce(before.balance_after, 0) + chunk.amount <> chunk.balance_after
  UNION ALL
  SELECT 'balance', id::text, ARRAY[id]::text[], json_build_array(row_to_json(newest)) FROM newest
  WHERE balance <> last_balance OR version < last_version
  UNION ALL
  SELECT 'limit', id::text, ARRAY[id]::text[], json_build_array(row_to_json(newest)) FROM newest
  WHERE held < 0 OR (kind IN ('member', 'suspense') AND balance < held)
  UNION ALL
  SELECT 'reason', chunk.reference::text, ARRAY[chunk.account_id]::text[],
    json_build_array(row_to_json(chunk), row_to_json(hold))
  FROM chunk LEFT JOIN hold ON hold.transfer_id = chunk.reference
  WHERE chunk.leg = 'transfer-from' AND (hold.state = 'settled' AND hold.amount = -chunk.amount
    AND hold.account_id = chunk.account_id AND hold.currency = chunk.currency) IS NOT TRUE
  UNION ALL
  SELECT 'reason', chunk.reference::text, ARRAY[chunk.account_id]::text[],
    json_build_array(row_to_json(chunk), row_to_json(credit))
  FROM chunk LEFT JOIN credit ON credit.reference = chunk.reference
  WHERE chunk.leg = 'credit-to' AND (credit.refusal IS NULL AND credit.amount = chunk.amount
    AND credit.currency = chunk.currency) IS NOT TRUE`;

/** The next accounts in the order of ids, those that are wrong with what is wrong. */
export const LOOK_AT_ACCOUNTS = `
  SELECT account.id::text, row_to_json(account) AS account, row_to_json(last) AS last,
    account.balance = coalesce(last.balance_after, 0) AND account.version >= coalesce(last.version, 0) AS is_sum,
    account.held >= 0 AND (account.kind NOT IN ('member', 'suspense') OR account.balance >= account.held)
      AND (account.state <> 'closed' OR (account.balance = 0 AND account.held = 0)) AS is_within
  FROM (SELECT * FROM account WHERE id > $1::uuid ORDER BY id LIMIT $2) AS account
  LEFT JOIN LATERAL (
    SELECT version, balance_after, reference FROM entry WHERE account_id = account.id
    ORDER BY account_id, version DESC LIMIT 1
  ) AS last ON true
  ORDER BY account.id`;

/** Changed postings after a place, of transactions that are all over. Ordered by the table's columns: those of the result are texts. */
export const FIND_CHANGED_ENTRIES = `
  SELECT xid::text, seq::text, action, account_id::text, version::text, reference::text, before, role, changed_at::text
  FROM entry_change
  WHERE (xid, seq) > ($1::text::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY entry_change.xid, entry_change.seq LIMIT $3`;

/**
 * What was held and moved under references. What was moved is taken from one account, and that posting has an
 * index. What arrives from another shard was moved there.
 */
export const FIND_POSTINGS = `
  SELECT asked.reference::text, hold.state, moved.amount, coalesce(moved.account_id, hold.account_id)::text AS account_id,
    coalesce(moved.currency, hold.currency) AS currency
  FROM unnest($1::uuid[]) AS asked (reference)
  LEFT JOIN hold ON hold.transfer_id = asked.reference
  LEFT JOIN LATERAL (
    SELECT -sum(entry.amount)::bigint AS amount, min(account.id::text)::uuid AS account_id, min(account.currency) AS currency
    FROM entry JOIN account ON account.id = entry.account_id
    WHERE entry.reference = asked.reference AND entry.amount < 0 AND entry.leg <> 'arrival-from'
  ) AS moved ON true
  WHERE hold.transfer_id IS NOT NULL OR moved.amount IS NOT NULL`;
