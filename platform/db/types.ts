/** Runs SQL. What takes it can be handed the database or a transaction. */
export interface Queryable {
  /**
   * Runs one statement, prepared under a name of its own, and gives its rows.
   * int8 comes as bigint, numeric as string, timestamptz as Date, bytea as Buffer, jsonb parsed.
   */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

declare const transactionBrand: unique symbol;

/** What became of a transaction. unknown: COMMIT has left, and its answer was lost with the connection. */
export type TransactionEnd = "committed" | "rolled-back" | "unknown";

/**
 * An open transaction. Functions that lock or write take one, so that calling them without does not compile.
 *
 * What is asked for in one turn leaves together, is done in its order, and is answered together: one of them that
 * waits for a lock keeps the others' answers waiting, and behind one that fails none is done.
 */
export interface Transaction extends Queryable {
  readonly [transactionBrand]: true;
  /**
   * Says that all of the transaction is asked for by the end of this turn: COMMIT leaves with it, and a way to the
   * server and back is saved. No answer is seen before the commit, so what must hold is for the statements to say
   * (`orLostRace`), and an error that the closure throws afterwards takes nothing back. What is asked for in a later
   * turn is refused. Where the caller ends the transaction (`PreparableDatabase.begin`) it does nothing.
   */
  conclude(): void;
  /** Runs after the commit, in order of registration, never after a rollback. It must not throw. */
  afterCommit(run: () => void): void;
  /** Runs when the transaction is over, committed or not; after the hooks of the commit. */
  afterEnd(run: (end: TransactionEnd) => void): void;
}

/** A service's own database. */
export interface Database extends Queryable {
  /**
   * Runs one closure in one transaction (READ COMMITTED) and commits when it resolves. A deadlock or
   * serialization failure runs the closure again, three times at most: it must have no effect outside.
   * Never call the network inside.
   *
   * @param run Is told with the transaction which run it is, from 1: what is hopeful in the first can be careful in
   * the next.
   *
   * @throws FerryError OVERLOADED when too many callers wait for a connection, UNAVAILABLE when
   * PostgreSQL is away. After UNAVAILABLE the outcome of a commit is not known: ask by key.
   */
  transaction<T>(run: (tx: Transaction, count: number) => Promise<T>): Promise<T>;
  /**
   * Hears NOTIFY on a channel, over one connection of its own that is made again when it breaks.
   * Notifications during a break are lost: who waits must also look now and then.
   */
  listen(channel: string, heard: (payload: string) => void): Promise<Listening>;
  /** Holds a connection of its own outside the pool until released: for session advisory locks. */
  session(): Promise<Session>;
  close(): Promise<void>;
}

/**
 * An open transaction whose end is the caller's: exactly one of commit, rollback and prepare is called, and
 * rollback also after one of the other two has failed.
 */
export interface OpenTransaction {
  readonly tx: Transaction;
  commit(): Promise<void>;
  /** Never rejects: a connection that is lost takes the transaction back by itself. */
  rollback(): Promise<void>;
  /**
   * Prepares it under a name, 199 characters of [A-Za-z0-9:._-] at most: it outlives the connection and the
   * server, with its locks, until `endPrepared`. After an error it may be prepared or not.
   */
  prepare(name: string): Promise<void>;
  /**
   * Ends the prepared transaction on the connection that it was begun on: the pool's others may all be
   * waiting for its locks. Afterwards, or after an error, the connection is given back, and only
   * `PreparableDatabase.endPrepared` can end it. @returns false when somebody else was quicker.
   */
  endPrepared(end: "commit" | "rollback"): Promise<boolean>;
  /** Runs the hooks of a prepared transaction, once it is known what became of it, and gives the connection back. */
  settled(isCommitted: boolean): void;
  /** Of statements that were sent together the one that failed first, whichever was heard. */
  explain(error: unknown): unknown;
}

/** A database that can hold transactions prepared, for a commit over several databases: see platform/two-phase. */
export interface PreparableDatabase extends Database {
  /** @throws FerryError OVERLOADED, UNAVAILABLE. */
  begin(): Promise<OpenTransaction>;
  /** Ends a prepared transaction. @returns false when there is none of that name (any more). */
  endPrepared(name: string, end: "commit" | "rollback"): Promise<boolean>;
}

export interface Listening {
  stop(): Promise<void>;
}

export interface Session extends Queryable {
  /** Hears what LISTEN on this connection asked for. */
  onNotification(heard: (channel: string, payload: string) => void): void;
  /** Resolves when the connection is lost or released. */
  readonly ended: Promise<void>;
  release(): Promise<void>;
}
