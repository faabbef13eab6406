import { orLostRace } from "@ferry/platform/db";

/** Accounts that a set touches, locked in the order of their ids so that two sets cannot wait for each other. */
export const LOCK_ACCOUNTS = `
  SELECT id, kind, owner_id, currency, balance, held, state, version
  FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`;

/** Only where there are several databases, and a lock was not given in time. */
export const FIND_FREE_ACCOUNTS = `
  SELECT id FROM account WHERE id = ANY($1::uuid[]) FOR NO KEY UPDATE SKIP LOCKED`;

export const INSERT_INTERNAL_ACCOUNTS = `
  INSERT INTO account (id, kind, currency, bank_code, stripe, peer_shard)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[]) AS wanted (id)
  ORDER BY id
  ON CONFLICT DO NOTHING`;

export const FIND_HOLDS = `
  SELECT transfer_id, account_id, state, payer_id, amount, currency, destination_id, refusal
  FROM hold WHERE transfer_id = ANY($1::uuid[])`;

export const FIND_CREDITS = `
  SELECT reference, account_id, amount, currency, bank_code, refusal
  FROM credit WHERE reference = ANY($1::uuid[])`;

export const FIND_ARRIVALS = `
  SELECT reference, account_id, amount, currency, from_shard FROM arrival WHERE reference = ANY($1::uuid[])`;

/** Only ledgers over several databases have any: this stays apart from what each set writes. */
export const SAVE_ARRIVALS = `
  INSERT INTO arrival (reference, account_id, amount, currency, from_shard)
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::smallint[])`;

/**
 * Writes all that a set changes in one statement, and tells how many holds it ended. Accounts get their
 * new values and not differences: they are locked.
 *
 * What another set, which the locks did not keep apart, has written first under the same reference shows
 * as a unique violation or as fewer holds. ON CONFLICT would say the same more kindly, but looks into each
 * index once more before it inserts, and logs each row a second time: a fifth of this statement.
 */
export const SAVE_CHANGES = `
  WITH new_hold AS (
    INSERT INTO hold (transfer_id, account_id, state, payer_id, amount, currency, destination_id, refusal)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::uuid[], $8::text[])
  ), ended_hold AS (
    UPDATE hold SET state = ended.state, updated_at = statement_timestamp()
    FROM unnest($9::uuid[], $10::text[]) AS ended (transfer_id, state)
    WHERE hold.transfer_id = ended.transfer_id AND hold.state = 'held' RETURNING 1
  ), new_credit AS (
    INSERT INTO credit (reference, account_id, amount, currency, bank_code, refusal)
    SELECT * FROM unnest($11::uuid[], $12::uuid[], $13::bigint[], $14::text[], $15::text[], $16::text[])
  ), new_entry AS (
    INSERT INTO entry (account_id, version, reference, leg, amount, balance_after)
    SELECT * FROM unnest($17::uuid[], $18::bigint[], $19::uuid[], $20::text[], $21::bigint[], $22::bigint[])
  ), changed_account AS (
    UPDATE account SET balance = changed.balance, held = changed.held, version = changed.version
    FROM unnest($23::uuid[], $24::bigint[], $25::bigint[], $26::bigint[]) AS changed (id, balance, held, version)
    WHERE account.id = changed.id
  )
  SELECT ${orLostRace("cardinality($9::uuid[])")} FROM ended_hold`;

const ACCOUNT_COLUMNS = "id, kind, owner_id, currency, balance, held, state, version, created_at";

export const INSERT_ACCOUNT = `
  INSERT INTO account (id, kind, owner_id, currency) VALUES ($1, 'member', $2, $3) RETURNING ${ACCOUNT_COLUMNS}`;

export const FIND_ACCOUNTS = `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = ANY($1::uuid[])`;

export const LIST_ACCOUNTS = `
  SELECT ${ACCOUNT_COLUMNS} FROM account
  WHERE owner_id = $1 AND id > $2::uuid ORDER BY owner_id, id LIMIT $3`;

export const LOCK_ACCOUNT = `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = $1 FOR NO KEY UPDATE`;

export const CLOSE_ACCOUNT = `UPDATE account SET state = 'closed', version = $2 WHERE id = $1`;

/** Locked in the order of their ids, as LOCK_ACCOUNTS does. */
export const LOCK_RECORDS = `
  SELECT ${ACCOUNT_COLUMNS} FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`;

/** Changes the state of locked accounts and writes down who did it. */
export const SAVE_STATES = `
  WITH changed AS (
    UPDATE account SET state = new.state, version = new.version
    FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS new (id, state, version) WHERE account.id = new.id
  )
  INSERT INTO account_audit (account_id, before, after, actor, action, reason)
  SELECT audited.id, audited.before, audited.after, $5::text, $6::text, $7::text
  FROM unnest($1::uuid[], $4::text[], $2::text[]) AS audited (id, before, after)`;

export const LIST_ENTRIES = `
  SELECT reference, amount, balance_after, version, created_at
  FROM entry WHERE account_id = $1 AND version < $2 ORDER BY account_id, version DESC LIMIT $3`;
