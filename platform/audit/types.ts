/** Something that must never be, as a check found it. */
export interface FoundBreach {
  /** What it is about, as the id of a transfer or an account; names the breach within its check. */
  subject: string;
  /** What does not hold, a sentence. */
  message: string;
  /** The rows and answers that show it: JSON's kinds of values and bigint. */
  detail: Readonly<Record<string, unknown>>;
  /** The accounts concerned, which are frozen. */
  accounts: readonly string[];
}

/** What a check is given for a round of work. */
export interface AuditRound {
  /** What the last round gave; undefined before the first. */
  cursor: unknown;
  /** Subjects that were on their way, and are due to be looked at again. */
  again: readonly string[];
  /** How many rows the round may look at, about. */
  maxRows: number;
  /**
   * A moment, RFC 3339: every row that was or will ever be written with an earlier time can be seen now,
   * however late its transaction committed. Undefined while that is not known for any moment.
   */
  horizon(): Promise<string | undefined>;
}

/** What a round came to. */
export interface AuditResult {
  /** Where the next round begins: JSON's kinds of values. */
  cursor: unknown;
  /** Rows that were looked at. */
  rows: number;
  breaches: readonly FoundBreach[];
  /** Subjects that are on their way: no breach, and looked at again later. */
  waiting?: readonly string[];
  /** There is more to look at now. */
  more?: boolean;
  /** There is little to look at: the next round may be so much later, in milliseconds. */
  restMs?: number;
  /** How far behind the present the next round begins, in milliseconds; undefined for a sweep. */
  lagMs?: number;
}

/** One thing that is checked all the time, in rounds of bounded work. */
export interface AuditCheck {
  /** As "postings". */
  name: string;
  /** The invariant that it holds (design, section 6), as "I1". */
  invariant: string;
  /** What is checked, a sentence. */
  description: string;
  /** The check that its breaches belong to. Default: itself. */
  findsFor?: string;
  /** Pause between rounds when there is no more to look at, in milliseconds. Default 4,000. */
  everyMs?: number;
  /** It finds a condition and not a fact in the books: what a round does not find any more has passed. */
  standing?: boolean;
  run(round: AuditRound): Promise<AuditResult>;
}

/** Stops accounts because of a breach. @param reason At most 500 characters. @returns those that are frozen now. */
export type FreezeAccounts = (accountIds: readonly string[], reason: string) => Promise<readonly string[]>;
