/** Runs SQL. What takes it can be handed the database or a transaction. */
export interface Queryable {
  /**
   * Runs one statement, prepared under a name of its own, and gives its rows.
   * int8 comes as bigint, numeric as string, timestamptz as Date, bytea as Buffer, jsonb parsed.
   */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

declare const transactionBrand: unique symbol;

/** An open transaction. Functions that lock or write take one, so that calling them without does not compile. */
export interface Transaction extends Queryable {
  readonly [transactionBrand]: true;
  /** Runs after the commit, in order of registration, never after a rollback. It must not throw. */
  afterCommit(run: () => void): void;
  /** Runs when the transaction is over, committed or not; after the hooks of the commit. */
  afterEnd(run: () => void): void;
}

/** A service's own database. */
export interface Database extends Queryable {
  /**
   * Runs one closure in one transaction (READ COMMITTED) and commits when it resolves. A deadlock or
   * serialization failure runs the closure again, three times at most: it must have no effect outside.
   * Never call the network inside.
   *
   * @throws FerryError OVERLOADED when too many callers wait for a connection, UNAVAILABLE when
   * PostgreSQL is away. After UNAVAILABLE the outcome of a commit is not known: ask by key.
   */
  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Hears NOTIFY on a channel, over one connection of its own that is made again when it breaks.
   * Notifications during a break are lost: who waits must also look now and then.
   */
  listen(channel: string, heard: (payload: string) => void): Promise<Listening>;
  /** Holds a connection of its own outside the pool until released: for session advisory locks. */
  session(): Promise<Session>;
  close(): Promise<void>;
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
