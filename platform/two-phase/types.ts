import type { PreparableDatabase, Transaction } from "@ferry/platform/db";
import type { Component } from "@ferry/platform/lifecycle";

/** A database that takes part in transactions over several. */
export interface Participant {
  /** As "shard-0"; it is written in the log, and stays the database's for ever. */
  name: string;
  database: PreparableDatabase;
}

export type Decision = "commit" | "abort";

/** A transaction that is prepared somewhere and has not ended there. */
export interface InDoubtTransaction {
  id: string;
  /** undefined: not decided; it is rolled back when it is old enough. */
  decision: Decision | undefined;
  /** Where it is prepared now, and holds its locks. */
  preparedOn: string[];
  participantCount: number;
  /** How long ago it was prepared, where that was first. */
  ageMs: number;
}

export interface InDoubtList {
  /** Oldest first. */
  transactions: InDoubtTransaction[];
  /** Participants that could not be asked. */
  unreachable: string[];
}

/** Who decides, and why, for the audit log. */
export interface OperatorDecision {
  operatorId: string;
  reason: string;
}

/** Counters since the start of the process, and what is the case now. */
export interface TwoPhaseStats {
  /** Transactions under way here, now. */
  open: number;
  /** Callers that wait for their turn, now. */
  waiting: number;
  /** Decided here, and not yet ended on a participant that is away, now. */
  unfinished: number;
  /** Prepared somewhere and not of this process's work at hand, when it was looked last. */
  inDoubt: number;
  /** Age of the oldest of them, in milliseconds. */
  oldestInDoubtMs: number;
  committed: number;
  /** Rolled back before the decision, for whatever reason. */
  aborted: number;
  /** Had one participant alone. */
  onePhase: number;
  /** Ended by recovery: of a coordinator that died, or of a participant that was away. */
  recoveredCommits: number;
  recoveredAborts: number;
  /** The log could not be asked in time whether the decision is in it. */
  unknownOutcomes: number;
}

export interface Coordinator extends Component {
  /**
   * Runs work in one transaction over several databases, and commits it on all of them or on none.
   *
   * One participant alone: an ordinary transaction. Several: each is prepared, then the commit is written
   * to the coordinator's log, then each is committed. When this resolves the commit is decided; a
   * participant that is away just then ends it when it is back, and until then keeps its locks. A deadlock
   * or serialization failure runs the work again, three times at most: it must have no effect outside.
   *
   * The transactions are begun in the order in which the participants were given to the coordinator,
   * whatever order they are named in here; work must take its locks in that order too.
   *
   * @param names Of participants, without repeats.
   * @throws FerryError OVERLOADED when too many wait, UNAVAILABLE when a database is away. After
   * UNAVAILABLE the outcome is not known: ask by key.
   */
  run<T>(names: readonly string[], work: (transactions: ReadonlyMap<string, Transaction>) => Promise<T>): Promise<T>;
  /** What is prepared now, of this coordinator's log. */
  listInDoubt(): Promise<InDoubtList>;
  /**
   * Decides a transaction by hand and ends it wherever it can be reached; written to the audit log.
   * @throws FerryError NOT_FOUND, TRANSACTION_DECIDED, TRANSACTION_NOT_PREPARED, UNAVAILABLE.
   */
  resolve(id: string, decision: Decision, by: OperatorDecision): Promise<InDoubtTransaction>;
  /**
   * Ends what was left by coordinators that died. It runs by itself at the start and now and then.
   * @returns whether it was done here: false when another is at it, or this one's own round, which may have looked before.
   */
  recover(): Promise<boolean>;
  /** Somebody waits for a lock that may be a prepared transaction's: recovery runs soon rather than at its time. */
  lookSoon(): void;
  stats(): TwoPhaseStats;
}
