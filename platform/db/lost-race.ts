import { sqlStateOf } from "./sql-state.ts";

/** PostgreSQL's code of a serialization failure: `Database.transaction` runs its closure again. */
export const LOST_RACE = "40001";
/** PostgreSQL's code of a deadlock: one of those in it is taken back. */
const DEADLOCK = "40P01";
const MARK = "lost race: ";
/** What a text is told that is no number. */
const NO_NUMBER = "22P02";

/**
 * SQL, an integer, that fails its statement unless as many rows were counted as there should be: as a lost race, so
 * that the transaction is run again. It is for a COMMIT that leaves with the statement (`Transaction.conclude`), when
 * nobody here can look at the rows any more.
 *
 * @param expected SQL for how many there should be, as "cardinality($1::uuid[])".
 */
export function orLostRace(expected: string): string {
  return `CASE WHEN count(*) = ${expected} THEN 0 ELSE ('${MARK}' || count(*))::integer END`;
}

/** Whether a transaction failed by what others did at the same time, so that it may be run again. */
export function isLostRace(error: unknown): boolean {
  const code = sqlStateOf(error);
  return code === LOST_RACE || code === DEADLOCK;
}

/** An error of `orLostRace` with the code of a lost race; every other as it is. */
export function namedLostRace(error: unknown): unknown {
  const isOne = sqlStateOf(error) === NO_NUMBER && error instanceof Error && error.message.includes(`"${MARK}`);
  return isOne ? Object.assign(error, { code: LOST_RACE }) : error;
}
