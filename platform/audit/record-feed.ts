import type { FeedOptions, Findings } from "./feed.ts";
import type { FoundBreach } from "./types.ts";

export interface RecordFeedOptions<Row extends { id: string }>
  extends Pick<FeedOptions, "name" | "invariant" | "description" | "db"> {
  /** SQL, and what it is given. */
  statements: {
    /** As `measure` of FeedOptions. */
    measure: string;
    /** The rows after $1, up to and with $2. */
    look: string;
    /** The rows whose ids are in $1. */
    lookAgain: string;
  };
  /** Whether a row will not change any more, so that the books of others can be compared. */
  hasEnded(row: Row): boolean;
  /** What the service's own books say against a row. */
  checkOwn(row: Row): FoundBreach | undefined;
  /** What the neighbors' books say against rows that have ended and that agree with the own. */
  checkEnded(rows: readonly Row[]): Promise<readonly FoundBreach[]>;
}

/** The feed of records that begin, are on their way, and end: the own books first, then the neighbors' at the end. */
export function recordFeed<Row extends { id: string }>(options: RecordFeedOptions<Row>): FeedOptions {
  const { name, invariant, description, db, statements, hasEnded, checkOwn, checkEnded } = options;

  async function findingsOf(rows: readonly Row[]): Promise<Findings> {
    const own = rows.flatMap((row) => checkOwn(row) ?? []);
    const bad = new Set(own.map(({ subject }) => subject));
    const good = rows.filter(({ id }) => !bad.has(id));
    return {
      breaches: [...own, ...(await checkEnded(good.filter(hasEnded)))],
      waiting: good.filter((row) => !hasEnded(row)).map(({ id }) => id),
    };
  }

  return {
    ...{ name, invariant, description, db, measure: statements.measure },
    look: async ({ from, upTo }) => findingsOf(await db.query<Row>(statements.look, [from, upTo])),
    lookAgain: async (ids) => findingsOf(await db.query<Row>(statements.lookAgain, [ids])),
  };
}

/** References in one call to a neighbor, as the contracts allow. */
const ASKED_AT_ONCE = 1_000;

/** Asks a neighbor about records by their ids, in as many calls as it takes. @returns its answers, by reference. */
export async function askByReference<Answer extends { reference: string }>(
  records: readonly { id: string }[],
  ask: (references: string[]) => Promise<readonly Answer[]>,
): Promise<Map<string, Answer>> {
  const ids = records.map(({ id }) => id);
  const calls = Array.from({ length: Math.ceil(ids.length / ASKED_AT_ONCE) }, (_, at) =>
    ask(ids.slice(at * ASKED_AT_ONCE, (at + 1) * ASKED_AT_ONCE)),
  );
  return new Map((await Promise.all(calls)).flat().map((answer) => [answer.reference, answer]));
}
