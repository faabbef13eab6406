// What is asked once, when a ledger over several databases starts.

export const FIND_SHARD = `SELECT ledger_id, position, buckets FROM shard`;

export const INSERT_SHARD = `
  INSERT INTO shard (ledger_id, position, buckets) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`;

export const FIND_ANY_ACCOUNT = `SELECT FROM account WHERE owner_id IS NOT NULL LIMIT 1`;

/** Names the server: the same for all databases of one cluster. */
export const FIND_CLUSTER = `SELECT system_identifier::text AS cluster FROM pg_control_system()`;
