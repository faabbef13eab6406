/** The first transfers of a stretch of time: how many there are, up to a limit, and the time of the last. */
export const MEASURE_TRANSFERS = `
  SELECT count(*) AS rows, max(created_at)::text AS last FROM (
    SELECT created_at FROM transfer WHERE created_at > $1::timestamptz AND created_at <= $2::timestamptz
    ORDER BY created_at LIMIT $3
  ) AS first`;

/**
 * The newest command of a saga is in the outbox as long as that keeps its rows, 7 days. Of a database that came
 * from another server the ids of transactions say nothing: those are all above the ones of this server, or below
 * its oldest row.
 */
const SELECT_TRANSFERS = `
  SELECT transfer.id::text, transfer.state, transfer.failure_code AS failure, transfer.currency,
    transfer.amount_minor AS amount, transfer.source_account_id::text AS source,
    transfer.destination_bank_code AS bank_code, transfer.destination_account_number AS account_number,
    transfer.updated_at < now() - interval '7 days' AS is_old, saga.status AS saga,
    saga.command_xid IS NOT NULL AND saga.created_at > now() - interval '6 days'
      AND saga.command_xid < pg_snapshot_xmin(pg_current_snapshot())
      AND saga.command_xid >= (SELECT xid FROM outbox ORDER BY xid, seq LIMIT 1)
      AND sent.xid IS NULL AS unsent
  FROM transfer LEFT JOIN saga ON saga.id = transfer.id
  LEFT JOIN LATERAL (SELECT xid FROM outbox WHERE xid = saga.command_xid LIMIT 1) AS sent ON true`;

export const LOOK_AT_TRANSFERS = `${SELECT_TRANSFERS}
  WHERE transfer.created_at > $1::timestamptz AND transfer.created_at <= $2::timestamptz`;

export const LOOK_AGAIN_AT_TRANSFERS = `${SELECT_TRANSFERS} WHERE transfer.id = ANY($1::uuid[])`;

/** Those that an operator has brought on without one of their steps. Asked for the few that seem wrong, as it reads much. */
export const FIND_SKIPPED = `SELECT id::text FROM saga WHERE id = ANY($1::uuid[]) AND progress::text LIKE '%"skipped"%'`;
