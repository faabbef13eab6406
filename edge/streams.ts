import { FerryError } from "@ferry/platform/errors";

/** The streams that are open: how many there may be, in all and for one member. */
export interface Streams {
  /**
   * Counts a stream until its answer is closed.
   * @param whose Id of the member, or the address.
   * @param abort Ends the stream. What is aborted already is not counted, since its answer closes no more.
   * @throws FerryError OVERLOADED when there are as many as allowed, RATE_LIMITED when the caller has as many; the
   *   reason of an abort.
   */
  enter(whose: string, abort: AbortController): { leave(): void };
  /** Ends all of them: their clients come back, to another edge. */
  endAll(): void;
}

const RETRY_AFTER_MS = 5_000;

export function createStreams({ max, maxEach }: { max: number; maxEach: number }): Streams {
  const open = new Set<AbortController>();
  const counts = new Map<string, number>();
  return {
    enter(whose, abort) {
      if (abort.signal.aborted) throw abort.signal.reason;
      if (open.size >= max)
        throw new FerryError("OVERLOADED", "more streams at once than can be served", { retryAfterMs: RETRY_AFTER_MS });
      const count = counts.get(whose) ?? 0;
      if (count >= maxEach)
        throw new FerryError("RATE_LIMITED", `at most ${maxEach} streams at once`, { retryAfterMs: RETRY_AFTER_MS });
      open.add(abort);
      counts.set(whose, count + 1);
      return {
        leave() {
          if (!open.delete(abort)) return;
          const left = (counts.get(whose) ?? 1) - 1;
          if (left === 0) counts.delete(whose);
          else counts.set(whose, left);
        },
      };
    },
    endAll() {
      for (const abort of open) abort.abort(new FerryError("UNAVAILABLE", "the edge is stopping"));
    },
  };
}
