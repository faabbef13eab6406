import type pg from "pg";
import type { PeerTransfer, Steps } from "./transfer.ts";

/** Every statement carries out one step for a whole set. */
const STATEMENTS = {
  // In the order of ids, so that sets do not deadlock; on its own, so that the next statement sees the rows as locked.
  lock: "SELECT id FROM accounts WHERE id = ANY($1::int[]) ORDER BY id FOR NO KEY UPDATE",
  // Each payer's transfers are taken in order for as long as their running sum is covered.
  reserve: `WITH wanted AS MATERIALIZED (
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[]) WITH ORDINALITY AS t(id, payer, amount, position)),
    running AS (
      SELECT *, sum(amount) OVER (PARTITION BY payer ORDER BY position) AS up_to_here FROM wanted),
    covered AS MATERIALIZED (
      SELECT running.* FROM running JOIN accounts ON accounts.id = payer WHERE available >= up_to_here),
    paid AS (
      UPDATE accounts SET available = available - total
      FROM (SELECT payer, sum(amount)::bigint AS total FROM covered GROUP BY payer) AS sums
      WHERE accounts.id = sums.payer RETURNING accounts.id)
    INSERT INTO holds (transfer_id, account_id, amount, status)
    SELECT id, payer, amount, 'held' FROM covered WHERE payer IN (SELECT id FROM paid) RETURNING transfer_id AS id`,
  settle: `WITH settled AS (
      UPDATE holds SET status = 'settled' FROM unnest($1::uuid[], $2::int[]) AS t(id, payee)
      WHERE transfer_id = t.id AND status = 'held' RETURNING transfer_id, account_id, amount, payee)
    INSERT INTO entries (transfer_id, leg, account_id, amount)
    SELECT transfer_id, leg::smallint, CASE leg WHEN 1 THEN account_id ELSE payee END,
      CASE leg WHEN 1 THEN -amount ELSE amount END
    FROM settled CROSS JOIN (VALUES (1), (2)) AS legs(leg)`,
  release: `WITH released AS (
      UPDATE holds SET status = 'released' WHERE transfer_id = ANY($1::uuid[]) AND status = 'held'
      RETURNING account_id, amount),
    sums AS (SELECT account_id, sum(amount)::bigint AS total FROM released GROUP BY account_id)
    UPDATE accounts SET available = available + total FROM sums WHERE accounts.id = sums.account_id`,
  record: `INSERT INTO transfers (transfer_id, payer, payee, amount, status)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::text[])`,
};

const ids = (transfers: readonly PeerTransfer[]) => transfers.map(({ id }) => id);
const payers = (transfers: readonly PeerTransfer[]) => transfers.map(({ payer }) => payer);
const payees = (transfers: readonly PeerTransfer[]) => transfers.map(({ payee }) => payee);
const amounts = (transfers: readonly PeerTransfer[]) => transfers.map(({ amountMinor }) => amountMinor);

async function inTransaction<Result>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

/**
 * Carries out a set of new transfers with one transaction for each step of the whole set. What a set
 * does not cover is tried one by one, since a smaller amount may still be.
 */
export function createSets(pool: pg.Pool, single: Steps) {
  const run = (client: pg.Pool | pg.PoolClient, name: keyof typeof STATEMENTS, values: unknown[]) =>
    client.query({ name: `set_${name}`, text: STATEMENTS[name], values });

  async function reserve(transfers: readonly PeerTransfer[]): Promise<Set<string>> {
    const found = await inTransaction(pool, async (client) => {
      await run(client, "lock", [[...new Set(payers(transfers))]]);
      return run(client, "reserve", [ids(transfers), payers(transfers), amounts(transfers)]);
    });
    const held = new Set<string>(found.rows.map(({ id }) => id));
    for (const transfer of transfers)
      if (!held.has(transfer.id) && (await single.reserve(transfer)).ok) held.add(transfer.id);
    return held;
  }

  async function release(transfers: readonly PeerTransfer[]): Promise<void> {
    await inTransaction(pool, async (client) => {
      await run(client, "lock", [[...new Set(payers(transfers))]]);
      await run(client, "release", [ids(transfers)]);
    });
  }

  return async (transfers: readonly PeerTransfer[]): Promise<void> => {
    const held = await reserve(transfers);
    const asked = transfers.filter(({ id }) => held.has(id));
    const answers = await Promise.all(asked.map((transfer) => single.bank(transfer)));
    const accepted = asked.filter((_, index) => answers[index]!.ok);
    const refused = new Set(asked.filter((_, index) => !answers[index]!.ok));
    if (accepted.length > 0) await run(pool, "settle", [ids(accepted), payees(accepted)]);
    if (refused.size > 0) await release([...refused]);
    const outcomes = transfers.map((transfer) => {
      if (!held.has(transfer.id)) return "rejected";
      return refused.has(transfer) ? "failed" : "settled";
    });
    await run(pool, "record", [ids(transfers), payers(transfers), payees(transfers), amounts(transfers), outcomes]);
  };
}
