import type pg from "pg";
import { ABORTED, Pipeline, Statement } from "./pipeline.ts";
import { sqlStateOf } from "./sql-state.ts";
import type { OpenTransaction, Transaction, TransactionEnd } from "./types.ts";

/** What it says of a prepared transaction that is not there, or not any more. */
const UNKNOWN_NAME = "42704";
/** PostgreSQL takes 199 bytes; what stands in a literal must need no escape. */
const PREPARED_NAME = /^[A-Za-z0-9:._-]{1,199}$/;

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
 * Begins a transaction on a connection of the pool, which goes back there at the end. What is asked for in one turn
 * leaves together at its end; BEGIN is not waited for, and leaves with the first statements.
 *
 * @param mayConclude Whether `conclude` has COMMIT leave with the statements. Not where another may end it otherwise.
 */
export function beginTransaction(client: pg.PoolClient, mayConclude = false): OpenTransaction {
  const committed: (() => void)[] = [];
  const ended: ((end: TransactionEnd) => void)[] = [];
  let failure: unknown;
  let decided = false;
  /** COMMIT is to leave at the end of this turn. */
  let concluding = false;
  /** COMMIT has left. */
  let committing = false;
  let over: TransactionEnd | undefined;
  /** What became of a COMMIT that left with the last statements. */
  let concluded: Promise<string> | undefined;
  let preparedAs: string | undefined;
  let held = true;
  let gathered: Statement[] = [];

  function ask(statement: Statement): Statement {
    gathered.push(statement);
    sendLater();
    return statement;
  }

  /** @returns what was done: COMMIT is answered with ROLLBACK where something has failed. */
  async function done(end: Statement): Promise<string> {
    await ask(end).answer;
    return end.command;
  }

  let isLater = false;
  function sendLater(): void {
    if (!isLater) process.nextTick(send);
    isLater = true;
  }

  function send(): void {
    if (concluding && !decided) {
      decided = true;
      committing = true;
      concluded = done(new Statement("COMMIT"));
      concluded.catch(() => {}); // Whoever ends the transaction hears of it.
    }
    isLater = false;
    const statements = gathered;
    gathered = [];
    if (statements.length > 0) client.query(new Pipeline(statements));
  }

  const hasFailed = (error: unknown) => {
    failure ??= error;
  };
  const tx = {
    // What would be sent behind COMMIT or ROLLBACK would stand for itself, or in the next one's transaction.
    query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]> {
      if (decided) return Promise.reject(new Error("the transaction is over"));
      try {
        return ask(new Statement(text, values, { hasFailed })).answer;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    conclude(): void {
      if (!mayConclude || decided) return;
      concluding = true;
      sendLater();
    },
    afterCommit: (hook: () => void) => void committed.push(hook),
    // A statement that nobody waited for, because another one failed, may be answered after the end.
    afterEnd: (hook: (end: TransactionEnd) => void) => (over === undefined ? void ended.push(hook) : hook(over)),
  } as Transaction;
  ask(new Statement("BEGIN")).answer.catch(() => {}); // Only a lost connection fails it, and that fails what follows too.

  function release(broken?: Error): void {
    if (held) client.release(broken);
    held = false;
  }

  function end(as: TransactionEnd): void {
    if (over !== undefined) return;
    over = as;
    for (const hook of ended) hook(as);
  }

  /** PostgreSQL takes back what had a failed statement, and only says so in passing; or does not look at the end that left with it. */
  async function conclude(statement: Statement, tag: string): Promise<void> {
    decided = true;
    const command = await (concluded ?? done(statement)).catch((error: unknown) => {
      if (sqlStateOf(error) !== ABORTED) throw error;
      return "";
    });
    if (command !== tag)
      throw new Error("a statement of the transaction failed, and nobody heard of it", { cause: failure });
  }

  /** @returns whether it was committed already: one that was concluded stands, whatever was thrown behind it. */
  async function takeBack(): Promise<boolean> {
    decided = true;
    const command = await (concluded ?? done(new Statement("ROLLBACK"))).catch((error: unknown) => {
      if (sqlStateOf(error) !== ABORTED) throw error;
      return done(new Statement("ROLLBACK")); // What left with a statement that failed was not looked at.
    });
    return command === "COMMIT";
  }

  function runCommitted(): void {
    for (const hook of committed) hook();
  }

  return {
    tx,
    async commit() {
      committing = true;
      await conclude(new Statement("COMMIT"), "COMMIT");
      runCommitted();
      release();
      end("committed");
    },
    async rollback() {
      try {
        const isCommitted = await takeBack();
        if (isCommitted) runCommitted();
        release();
        end(isCommitted ? "committed" : "rolled-back");
      } catch (lost) {
        release(lost as Error);
        end(committing ? "unknown" : "rolled-back");
      }
    },
    async prepare(name) {
      const text = `PREPARE TRANSACTION ${preparedLiteral(name)}`;
      await conclude(new Statement(text, [], { isNamed: false }), "PREPARE TRANSACTION");
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
