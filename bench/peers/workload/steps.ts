import pg from "pg";
import { askBank, type Steps } from "./transfer.ts";

/** Every peer has as many connections for its steps. */
const POOL_SIZE = 16;
const CONNECT_TIMEOUT_MS = 10_000;
const UNIQUE_VIOLATION = "23505";

/** One statement is one transaction: one round trip, one commit, one fsync. */
const STATEMENTS = {
  // The update gates the insert: without funds there is no hold. A duplicate at the same time breaks the
  // primary key of holds, which takes the decrement back.
  reserve: `WITH paid AS (
      UPDATE accounts SET available = available - $3
      WHERE id = $2 AND available >= $3 AND NOT EXISTS (SELECT 1 FROM holds WHERE transfer_id = $1) RETURNING id),
    held AS (
      INSERT INTO holds (transfer_id, account_id, amount, status) SELECT $1, id, $3, 'held' FROM paid RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM held) OR EXISTS (SELECT 1 FROM holds WHERE transfer_id = $1) AS ok`,
  settle: `WITH hold AS (
      UPDATE holds SET status = 'settled' WHERE transfer_id = $1 AND status = 'held'
      RETURNING transfer_id, account_id, amount)
    INSERT INTO entries (transfer_id, leg, account_id, amount)
    SELECT transfer_id, 1::smallint, account_id, -amount FROM hold
    UNION ALL SELECT transfer_id, 2::smallint, $2::int, amount FROM hold`,
  release: `WITH hold AS (
      UPDATE holds SET status = 'released' WHERE transfer_id = $1 AND status = 'held' RETURNING account_id, amount)
    UPDATE accounts SET available = available + hold.amount FROM hold WHERE accounts.id = hold.account_id`,
  holdStatus: "SELECT status FROM holds WHERE transfer_id = $1",
  record: `INSERT INTO transfers (transfer_id, payer, payee, amount, status) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (transfer_id) DO NOTHING`,
};

/** Connections to the ledger's database. End the pool when done. */
export function openLedger(url: string): pg.Pool {
  return new pg.Pool({ connectionString: url, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
}

const breaksUnique = (error: unknown) => error instanceof Error && "code" in error && error.code === UNIQUE_VIOLATION;

/** The steps of a transfer in plain SQL, each a prepared statement: the same for every peer. */
export function createSteps(pool: pg.Pool): Steps {
  const run = (name: keyof typeof STATEMENTS, values: unknown[]) =>
    pool.query({ name, text: STATEMENTS[name], values });

  async function expectHold(id: string, wanted: string): Promise<void> {
    const status: unknown = (await run("holdStatus", [id])).rows[0]?.status;
    if (status !== wanted) throw new Error(`The hold of transfer ${id} is ${status}, not ${wanted}`);
  }

  return {
    async reserve({ id, payer, amountMinor }) {
      try {
        return { ok: (await run("reserve", [id, payer, amountMinor])).rows[0].ok };
      } catch (error) {
        if (breaksUnique(error)) return { ok: true };
        throw error;
      }
    },
    bank: askBank,
    async settle({ id, payee }) {
      if ((await run("settle", [id, payee])).rowCount !== 2) await expectHold(id, "settled");
    },
    async release({ id }) {
      if ((await run("release", [id])).rowCount !== 1) await expectHold(id, "released");
    },
    async record({ id, payer, payee, amountMinor }, outcome) {
      await run("record", [id, payer, payee, amountMinor, outcome]);
    },
  };
}
