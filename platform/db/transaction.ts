import type { Writable } from "node:stream";
import type pg from "pg";
import { sqlStateOf } from "./sql-state.ts";
import type { OpenTransaction, Transaction, TransactionEnd } from "./types.ts";

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

/** What is asked last in the present turn, by connection. */
const lastOfTurn = new WeakMap<pg.ClientBase, () => void>();

/** What is asked of a connection in one turn leaves in one write: a system call for all of it, here and at the server. */
export function sendTogether(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => {
    lastOfTurn.get(client)?.();
    stream.uncork();
  });
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
 *
 * @param mayConclude Whether `conclude` has COMMIT leave with the statements. Not where another may end it otherwise.
 */
export function beginTransaction(client: pg.PoolClient, run: Run, mayConclude = false): OpenTransaction {
  const committed: (() => void)[] = [];
  const ended: ((end: TransactionEnd) => void)[] = [];
  let failure: unknown;
  let decided = false;
  /** COMMIT has left. */
  let committing = false;
  let over: TransactionEnd | undefined;
  /** The answer to a COMMIT that left with the last statements. */
  let concluded: Promise<{ command: string }> | undefined;
  let preparedAs: string | undefined;
  let held = true;
  const failed = (error: unknown) => {
    failure ??= error;
  };
  const tx = {
    // What would be sent behind COMMIT or ROLLBACK would stand for itself, or in the next one's transaction.
    query: <Row>(text: string, values?: readonly unknown[]): Promise<Row[]> =>
      decided ? Promise.reject(new Error("the transaction is over")) : run<Row>(client, text, values, failed),
    conclude(): void {
      if (!mayConclude || decided) return;
      lastOfTurn.set(client, () => {
        lastOfTurn.delete(client);
        decided = true;
        committing = true;
        concluded = client.query("COMMIT");
        concluded.catch(() => {}); // Whoever ends the transaction hears of it.
      });
      sendTogether(client);
    },
    afterCommit: (hook: () => void) => void committed.push(hook),
    // A statement that nobody waited for, because another one failed, may be answered after the end.
    afterEnd: (hook: (end: TransactionEnd) => void) => (over === undefined ? void ended.push(hook) : hook(over)),
  } as Transaction;
  sendTogether(client);
  const begun = client.query("BEGIN");
  begun.catch(() => {}); // Only a lost connection fails it, and that fails what follows too.

  function release(broken?: Error): void {
    if (held) client.release(broken);
    held = false;
  }

  function end(as: TransactionEnd): void {
    if (over !== undefined) return;
    over = as;
    for (const hook of ended) hook(as);
  }

  /** PostgreSQL takes back what had a failed statement, and only says so in passing. */
  async function conclude(statement: string, tag: string): Promise<void> {
    decided = true;
    await begun;
    const { command } = await (concluded ?? client.query(statement));
    if (command !== tag)
      throw new Error("a statement of the transaction failed, and nobody heard of it", { cause: failure });
  }

  function runCommitted(): void {
    for (const hook of committed) hook();
  }

  return {
    tx,
    async commit() {
      committing = true;
      await conclude("COMMIT", "COMMIT");
      runCommitted();
      release();
      end("committed");
    },
    async rollback() {
      decided = true;
      lastOfTurn.delete(client);
      try {
        // One that was concluded and committed stands, whatever was thrown behind it.
        const { command } = await (concluded ?? client.query("ROLLBACK"));
        if (command === "COMMIT") runCommitted();
        release();
        end(command === "COMMIT" ? "committed" : "rolled-back");
      } catch (lost) {
        release(lost as Error);
        end(committing ? "unknown" : "rolled-back");
      }
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
      if (isCommitted) runCommitted();
      end(isCommitted ? "committed" : "rolled-back");
    },
    // Of statements that were sent together it is chance whose failure is heard first.
    explain: (error) => (sqlStateOf(error) === ABORTED ? failure : error),
  };
}
