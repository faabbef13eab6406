import type { Writable } from "node:stream";
import type pg from "pg";
import { sqlStateOf } from "./sql-state.ts";
import type { OpenTransaction, Transaction } from "./types.ts";

/** What PostgreSQL says of a statement behind one that failed. */
const ABORTED = "25P02";
/** What it says of a prepared transaction that is not there, or not any more. */
const UNKNOWN_NAME = "42704";
/** PostgreSQL takes 199 bytes; what stands in a literal must need no escape. */
const PREPARED_NAME = /^[A-Za-z0-9:._-]{1,199}$/;

type Run = <Row>(
  client: pg.ClientBase,
  text: string,
  values?: readonly unknown[],
  failed?: (error: unknown) => void,
) => Promise<Row[]>;

/** What is asked of a connection in one turn leaves in one write: a system call for all of it, here and at the server. */
export function sendTogether(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/** The name of a prepared transaction as a literal: these statements take no parameters. @throws Error for a name that cannot be one. */
function preparedLiteral(name: string): string {
  if (!PREPARED_NAME.test(name)) throw new Error(`"${name}" cannot name a prepared transaction`);
  return `'${name}'`;
}

/** Ends a prepared transaction, on any connection to its database. @returns false when there is none of that name. */
export async function endPreparedOn(client: pg.ClientBase, name: string, how: "commit" | "rollback"): Promise<boolean> {
  try {
    await client.query(`${how === "commit" ? "COMMIT" : "ROLLBACK"} PREPARED ${preparedLiteral(name)}`);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === UNKNOWN_NAME) return false;
    throw error;
  }
}

/**
 * Begins a transaction on a connection of the pool, which goes back there at the end. BEGIN is not waited
 * for: it is sent together with the first statement.
 */
export function beginTransaction(client: pg.PoolClient, run: Run): OpenTransaction {
  const committed: (() => void)[] = [];
  const ended: (() => void)[] = [];
  let failure: unknown;
  let decided = false;
  let over = false;
  let preparedAs: string | undefined;
  let held = true;
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
  sendTogether(client);
  const begun = client.query("BEGIN");
  begun.catch(() => {}); // Only a lost connection fails it, and that fails what follows too.

  function release(broken?: Error): void {
    if (held) client.release(broken);
    held = false;
  }

  function end(): void {
    if (over) return;
    over = true;
    for (const hook of ended) hook();
  }

  /** PostgreSQL takes back what had a failed statement, and only says so in passing. */
  async function conclude(statement: string, tag: string): Promise<void> {
    decided = true;
    await begun;
    const { command } = await client.query(statement);
    if (command !== tag)
      throw new Error("a statement of the transaction failed, and nobody heard of it", { cause: failure });
  }

  return {
    tx,
    async commit() {
      await conclude("COMMIT", "COMMIT");
      for (const hook of committed) hook();
      release();
      end();
    },
    async rollback() {
      decided = true;
      let broken: Error | undefined;
      await client.query("ROLLBACK").catch((lost: Error) => {
        broken = lost;
      });
      release(broken);
      end();
    },
    async prepare(name) {
      await conclude(`PREPARE TRANSACTION ${preparedLiteral(name)}`, "PREPARE");
      preparedAs = name;
    },
    async endPrepared(how) {
      if (!held || preparedAs === undefined) throw new Error("the connection of the prepared transaction is gone");
      let broken: Error | undefined;
      try {
        return await endPreparedOn(client, preparedAs, how);
      } catch (error) {
        broken = error instanceof Error ? error : new Error(String(error));
        throw error;
      } finally {
        release(broken);
      }
    },
    settled(isCommitted) {
      release();
      if (isCommitted) for (const hook of committed) hook();
      end();
    },
    // Of statements that were sent together it is chance whose failure is heard first.
    explain: (error) => (sqlStateOf(error) === ABORTED ? failure : error),
  };
}
