import type { Queryable } from "@ferry/platform/db";
import { readPresent } from "./store.ts";

/**
 * A row's time is that of its statement, or of its writer's clock; its transaction may end 5 s later, which is
 * the longest that one may take, and a prepared one whenever its coordinator decides. A statement has its
 * transaction's id within the same 5 s, and clocks differ by less.
 */
const MARGIN_MS = 5_000;
/** Rounds of several checks share one look. */
const LOOK_EVERY_MS = 500;

/**
 * Tells a moment before which no row can appear any more, from the database's own knowledge of running
 * transactions: a moment is safe once every transaction that had begun by then is over.
 */
export function createHorizon(db: Queryable) {
  let mark: { atMs: number; below: bigint } | undefined;
  let safeMs: number | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  async function look(): Promise<void> {
    lookedAtMs = performance.now();
    const { nowMs, oldest, next } = await readPresent(db);
    if (mark !== undefined && oldest >= mark.below) {
      safeMs = mark.atMs - MARGIN_MS;
      mark = undefined;
    }
    mark ??= { atMs: nowMs, below: next };
    // Nothing runs at all: the present is as good as the last look.
    if (oldest >= mark.below) safeMs = mark.atMs - MARGIN_MS;
  }

  /** RFC 3339, or undefined while no moment is known to be safe. */
  return async (): Promise<string | undefined> => {
    if (performance.now() - lookedAtMs >= LOOK_EVERY_MS) await look();
    return safeMs === undefined ? undefined : new Date(safeMs).toISOString();
  };
}

export type Horizon = ReturnType<typeof createHorizon>;
