import { FerryError } from "@ferry/platform/errors";
import pg from "pg";
import { createListener } from "./listener.ts";
import { isLostRace } from "./lost-race.ts";
import { showPool } from "./metrics.ts";
import { ask } from "./pipeline.ts";
import { beginTransaction, endPreparedOn } from "./transaction.ts";
import type { OpenTransaction, PreparableDatabase, Session, Transaction } from "./types.ts";

pg.types.setTypeParser(pg.types.builtins.INT8, BigInt);

export interface DatabaseOptions {
  /** As "postgres://user@host:5432/name". */
  url: string;
  /** Connections in the pool. Default 8. */
  maxConnections?: number;
  /** Callers that may wait for a connection; one more is refused with OVERLOADED. Default 1,000. */
  maxWaiting?: number;
  /** How long a caller waits for a connection, of the pool or of its own, in milliseconds. Default 2,000. */
  connectTimeoutMs?: number;
  /** The longest that a transaction may take, in milliseconds; it bounds the outbox's watermark. 0 for no limit. Default 5,000. */
  transactionTimeoutMs?: number;
  /**
   * How much longer than a transaction may take the answer to a statement is waited for, in milliseconds. Default
   * 5,000. A server whose machine is gone says nothing: TCP alone would keep a connection, and all who wait for it,
   * for a quarter of an hour. Past it the connection is given up, and the statement fails as one that was cut off.
   * Without a limit of transactions there is none of answers.
   */
  answerMarginMs?: number;
  /** How long a statement waits for a lock, in milliseconds; then it fails with 55P03. Default: as long as its transaction may take. */
  lockTimeoutMs?: number;
  /** Shown in pg_stat_activity. */
  name?: string;
}

const ATTEMPTS = 3;
/**
 * Every statement of a service goes by an index. The planner would not know it on the day on which the
 * tables are empty, and a named statement keeps the plan of that day until the table is analyzed.
 */
const PLANNER = "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";
/** Opens a pool on a database. Nothing connects until the first use. */
export function openDatabase(options: DatabaseOptions): PreparableDatabase {
  const {
    url,
    maxConnections = 8,
    maxWaiting = 1_000,
    connectTimeoutMs = 2_000,
    transactionTimeoutMs = 5_000,
    answerMarginMs = 5_000,
    lockTimeoutMs,
  } = options;
  const lockTimeout = lockTimeoutMs === undefined ? "" : `-c lock_timeout=${lockTimeoutMs} `;
  const settings = {
    connectionString: url,
    application_name: options.name ?? "ferry",
    options: `-c transaction_timeout=${transactionTimeoutMs} -c idle_in_transaction_session_timeout=${transactionTimeoutMs} ${lockTimeout}${PLANNER}`,
    keepAlive: true,
  };
  const pool = new pg.Pool({
    ...settings,
    max: maxConnections,
    // Statements that do not wait for each other's results leave together: one way to the server and back.
    pipeline: true,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
    // Not of sessions: what they ask for, as a lock that another process has, may wait for as long as it takes.
    query_timeout: transactionTimeoutMs === 0 ? undefined : transactionTimeoutMs + answerMarginMs,
  });
  pool.on("error", () => {}); // An idle connection that breaks is replaced at its next use.
  // One that breaks in use fails its statements: that says enough, and an event that nobody hears ends the process.
  pool.on("connect", (client) => client.on("error", () => {}));

  const hidePool = showPool(settings.application_name, pool);
  let closed = false;

  async function checkOut(): Promise<pg.PoolClient> {
    if (closed) throw new FerryError("UNAVAILABLE", "the database is closed: the service is stopping");
    if (pool.waitingCount >= maxWaiting)
      throw new FerryError("OVERLOADED", "too many callers wait for the database", { retryAfterMs: 1_000 });
    return pool.connect();
  }

  // Checked out by hand: pool.query would destroy its connection on every SQL error.
  async function query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const client = await checkOut();
    try {
      return (await ask(client, text, values)) as Row[];
    } finally {
      client.release();
    }
  }

  const begin = async (): Promise<OpenTransaction> => beginTransaction(await checkOut());

  async function attempt<T>(work: (tx: Transaction, count: number) => Promise<T>, count: number): Promise<T> {
    const open = beginTransaction(await checkOut(), true);
    try {
      const result = await work(open.tx, count);
      await open.commit();
      return result;
    } catch (error) {
      await open.rollback();
      throw open.explain(error);
    }
  }

  async function endPrepared(name: string, end: "commit" | "rollback"): Promise<boolean> {
    const client = await checkOut();
    try {
      return await endPreparedOn(client, name, end);
    } finally {
      client.release();
    }
  }

  async function transaction<T>(work: (tx: Transaction, count: number) => Promise<T>): Promise<T> {
    for (let count = 1; ; count++) {
      try {
        return await attempt(work, count);
      } catch (error) {
        if (count >= ATTEMPTS || !isLostRace(error)) throw error;
      }
    }
  }

  async function session(): Promise<Session> {
    const client = new pg.Client({ ...settings, connectionTimeoutMillis: connectTimeoutMs });
    const ended = new Promise<void>((resolve) => {
      client.on("end", resolve);
      client.on("error", () => resolve());
    });
    await client.connect();
    return {
      query: async <Row>(text: string, values?: readonly unknown[]) => (await ask(client, text, values)) as Row[],
      onNotification: (heard) => void client.on("notification", (note) => heard(note.channel, note.payload ?? "")),
      ended,
      release: () => client.end(),
    };
  }

  const listener = createListener(session);
  return {
    query,
    transaction,
    begin,
    endPrepared,
    session,
    listen: listener.listen,
    async close() {
      closed = true;
      hidePool();
      await listener.close();
      await pool.end();
    },
  };
}
