import type { Queryable } from "@ferry/platform/db";
import type { Horizon } from "./horizon.ts";
import type { AuditCheck, AuditResult, AuditRound, FoundBreach } from "./types.ts";

/** A stretch of time: after `from`, up to and with `upTo`. As PostgreSQL reads them, to the microsecond. */
export interface TimeWindow {
  from: string;
  upTo: string;
}

export interface Findings {
  breaches: readonly FoundBreach[];
  /** Subjects that are on their way, to be looked at again by `lookAgain`. */
  waiting?: readonly string[];
}

/** Rows that are looked at in the order of their times, which never change. */
export interface FeedOptions extends Pick<AuditCheck, "name" | "invariant" | "description" | "everyMs"> {
  /** The database that the rows are in. */
  db: Queryable;
  /** Of that database, where it is not the auditor's own. */
  horizon?: Horizon;
  /**
   * SQL: of the first $3 rows after $1, up to and with $2, how many there are (`rows`), and the time of the last
   * (`last`, as text). By an index.
   */
  measure: string;
  /** Looks at all rows of a window. */
  look(window: TimeWindow): Promise<Findings>;
  /** Looks again at what was on its way. */
  lookAgain?(subjects: readonly string[]): Promise<Findings>;
}

interface FeedCursor {
  upTo: string;
}

/** A new check of a system that has a history leaves it to the sweep. */
const FIRST_LOOK_BACK_MS = 3_600_000;
const SWEEP_EVERY_MS = 10_000;
const SWEPT_AT_ONCE = 500;
/** While nothing is new, each look is twice as long after the one before, up to this: idle is cheap. */
const LONGEST_IDLE_MS = 10_000;
const FIRST_IDLE_MS = 1_000;
/** Between two times round: a short history is not looked at all the time. */
export const SWEEP_REST_MS = 60_000;
const BEGINNING = "-infinity";

async function nextStretch({ db, measure }: FeedOptions, window: TimeWindow, limit: number) {
  const [first] = await db.query<{ rows: bigint; last: string }>(measure, [window.from, window.upTo, limit]);
  const rows = Number(first!.rows);
  return rows < limit ? { rows, window, more: false } : { rows, window: { ...window, upTo: first!.last }, more: true };
}

/**
 * A check of what is new: each row is looked at once, soon after it was written, and what was on its way
 * then is looked at again until it has ended. What it costs depends on what is new alone.
 */
export function feedCheck(options: FeedOptions): AuditCheck {
  const { name, invariant, description, everyMs, look, lookAgain } = options;
  let idleMs = FIRST_IDLE_MS;

  async function run(round: AuditRound): Promise<AuditResult> {
    const seenAgain = round.again.length > 0 ? await lookAgain?.(round.again) : undefined;
    const horizon = await (options.horizon ?? round.horizon)();
    const before = round.cursor as FeedCursor | undefined;
    const found = { breaches: [...(seenAgain?.breaches ?? [])], waiting: [...(seenAgain?.waiting ?? [])] };
    if (horizon === undefined) return { cursor: before, rows: round.again.length, ...found };
    const from = before?.upTo ?? new Date(Date.parse(horizon) - FIRST_LOOK_BACK_MS).toISOString();
    const { rows, window, more } = await nextStretch(options, { from, upTo: horizon }, round.maxRows);
    if (rows > 0) {
      const { breaches, waiting = [] } = await look(window);
      found.breaches.push(...breaches);
      found.waiting.push(...waiting);
    }
    idleMs = rows + round.again.length > 0 ? FIRST_IDLE_MS : Math.min(idleMs * 2, LONGEST_IDLE_MS);
    const lagMs = more ? Math.max(0, Date.parse(horizon) - Date.parse(window.upTo)) : 0;
    const end = { cursor: { upTo: window.upTo }, more, lagMs, restMs: idleMs };
    return { ...end, rows: rows + round.again.length, ...found };
  }

  return { name, invariant, description, everyMs, run };
}

/**
 * The same check over the whole of history, from its beginning to the present and round again, slowly: it finds
 * what was changed after it was looked at. What is on its way is left to the other.
 */
export function sweepCheck(options: FeedOptions & { everyMs?: number }): AuditCheck {
  const { name, invariant, description, everyMs = SWEEP_EVERY_MS, look } = options;
  return {
    ...{ name: `${name}-sweep`, findsFor: name, invariant, everyMs },
    description: `${description} Over the whole of history, slowly, round and round.`,
    async run({ cursor, horizon, maxRows }) {
      const upTo = await (options.horizon ?? horizon)();
      if (upTo === undefined) return { cursor, rows: 0, breaches: [] };
      const from = (cursor as FeedCursor | undefined)?.upTo ?? BEGINNING;
      const { rows, window, more } = await nextStretch(options, { from, upTo }, Math.min(maxRows, SWEPT_AT_ONCE));
      const breaches = rows > 0 ? (await look(window)).breaches : [];
      const end = more ? { cursor: { upTo: window.upTo } } : { cursor: { upTo: BEGINNING }, restMs: SWEEP_REST_MS };
      return { ...end, rows, breaches };
    },
  };
}
