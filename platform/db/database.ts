import { FerryError } from "@ferry/platform/errors";
import pg from "pg";
import { createListener } from "./listener.ts";
import { toParameters } from "./parameters.ts";
import { sqlStateOf } from "./sql-state.ts";
import type { Database, Session, Transaction } from "./types.ts";

pg.types.setTypeParser(pg.types.builtins.INT8, BigInt);

export interface DatabaseOptions {
  /** As "postgres://user@host:5432/name". */
  url: string;
  /** Connections in the pool. Default 8. */
  maxConnections?: number;
  /** Callers that may wait for a connection; one more is refused with OVERLOADED. Default 1,000. */
  maxWaiting?: number;
  /** How long a caller waits for a connection, in milliseconds. Default 2,000. */
  connectTimeoutMs?: number;
  /** The longest that a transaction may take, in milliseconds; it bounds the outbox's watermark. Default 5,000. */
  transactionTimeoutMs?: number;
  /** Shown in pg_stat_activity. */
  name?: string;
}

const ATTEMPTS = 3;
const RETRY_CODES = new Set(["40001", "40P01"]);
/** What PostgreSQL says of a statement behind one that failed. */
const ABORTED = "25P02";
/**
 * Every statement of a service goes by an index. The planner would not know it on the day on which the
 * tables are empty, and a named statement keeps the plan of that day until the table is analyzed.
 */
const PLANNER = "-c jit=off -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";
const statementNames = new Map<string, string>();

/** Named statements are planned once for each connection. Texts are constants in the code, so their number is bounded. */
function nameOf(text: string): string {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `s${statementNames.size}`;
    statementNames.set(text, name);
  }
  return name;
}

/** Not an async function: what is asked for in one turn is sent in that turn. */
function run<Row>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[] = [],
  failed?: (error: unknown) => void,
): Promise<Row[]> {
  return client.query({ name: nameOf(text), text, values: toParameters(values) }).then(
    ({ rows }) => rows as Row[],
    (error: unknown) => {
      failed?.(error);
      throw error;
    },
  );
}

/** Opens a pool on a database. Nothing connects until the first use. */
export function openDatabase(options: DatabaseOptions): Database {
  const {
    url,
    maxConnections = 8,
    maxWaiting = 1_000,
    connectTimeoutMs = 2_000,
    transactionTimeoutMs = 5_000,
  } = options;
  const settings = {
    connectionString: url,
    application_name: options.name ?? "ferry",
    options: `-c transaction_timeout=${transactionTimeoutMs} -c idle_in_transaction_session_timeout=${transactionTimeoutMs} ${PLANNER}`,
    keepAlive: true,
  };
  const pool = new pg.Pool({
    ...settings,
    max: maxConnections,
    // Statements that do not wait for each other's results leave together: one way to the server and back.
    pipeline: true,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 30_000,
  });
  pool.on("error", () => {}); // An idle connection that breaks is replaced at its next use.
  // One that breaks in use fails its statements: that says enough, and an event that nobody hears ends the process.
  pool.on("connect", (client) => client.on("error", () => {}));

  async function checkOut(): Promise<pg.PoolClient> {
    if (pool.waitingCount >= maxWaiting)
      throw new FerryError("OVERLOADED", "too many callers wait for the database", { retryAfterMs: 1_000 });
    return pool.connect();
  }

  // Checked out by hand: pool.query would destroy its connection on every SQL error.
  async function query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const client = await checkOut();
    try {
      return await run<Row>(client, text, values);
    } finally {
      client.release();
    }
  }

  async function attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = await checkOut();
    const committed: (() => void)[] = [];
    const ended: (() => void)[] = [];
    let failure: unknown;
    let decided = false;
    let over = false;
    const failed = (error: unknown) => {
      failure ??= error;
    };
    const tx = {
      // What would be sent behind COMMIT or ROLLBACK would stand for itself, or in the next one's transaction.
      query: <Row>(text: string, values?: readonly unknown[]): Promise<Row[]> =>
        decided ? Promise.reject(new Error("the transaction is over")) : run<Row>(client, text, values, failed),
      afterCommit: (hook: () => void) => void committed.push(hook),
      // A statement that nobody waited for, because another one failed, may be answered after the end.
      afterEnd: (hook: () => void) => (over ? hook() : void ended.push(hook)),
    } as Transaction;
    let broken: Error | undefined;
    try {
      const begun = client.query("BEGIN");
      begun.catch(() => {}); // Only a lost connection fails it, and that fails what follows too.
      const result = await work(tx);
      decided = true;
      await begun;
      const { command } = await client.query("COMMIT");
      // PostgreSQL takes back what had a failed statement, and only says so in passing.
      if (command !== "COMMIT")
        throw new Error("a statement of the transaction failed, and nobody heard of it", { cause: failure });
      for (const hook of committed) hook();
      return result;
    } catch (error) {
      decided = true;
      await client.query("ROLLBACK").catch((lost: Error) => {
        broken = lost;
      });
      // Of statements that were sent together it is chance whose failure is heard first.
      throw sqlStateOf(error) === ABORTED ? failure : error;
    } finally {
      client.release(broken);
      over = true;
      for (const hook of ended) hook();
    }
  }

  async function transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let count = 1; ; count++) {
      try {
        return await attempt(work);
      } catch (error) {
        if (count >= ATTEMPTS || !RETRY_CODES.has(sqlStateOf(error))) throw error;
      }
    }
  }

  async function session(): Promise<Session> {
    const client = new pg.Client(settings);
    const ended = new Promise<void>((resolve) => {
      client.on("end", resolve);
      client.on("error", () => resolve());
    });
    await client.connect();
    return {
      query: <Row>(text: string, values?: readonly unknown[]) => run<Row>(client, text, values),
      onNotification: (heard) => void client.on("notification", (note) => heard(note.channel, note.payload ?? "")),
      ended,
      release: () => client.end(),
    };
  }

  const listener = createListener(session);
  return {
    query,
    transaction,
    session,
    listen: listener.listen,
    async close() {
      await listener.close();
      await pool.end();
    },
  };
}
