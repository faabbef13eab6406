const PROBE_MS = 100;
/** Half of the new, half of what was: one pause of the machine sheds nobody, a second of lag does. */
const WEIGHT = 0.5;
/** What was measured longer ago than this says nothing of now. */
const STALE_MS = 1_000;

export interface LoopLag {
  /** Whether the process is so far behind that what it takes on now would only wait. Asked once for each request. */
  isLate(): boolean;
  /** How late timers are, in milliseconds: the average of the last tenths of a second with requests. */
  readonly averageMs: number;
}

/**
 * Measures how far the event loop is behind by a timer that is set when a request comes. A histogram of
 * perf_hooks, on which the usual plugins stand, wakes an idle process up a hundred times a second.
 *
 * @param maxMs The average from which on isLate; 0: never.
 */
export function createLoopLag(maxMs: number): LoopLag {
  let averageMs = 0;
  let measuredAtMs = 0;
  let isArmed = false;

  function arm(): void {
    const setAtMs = performance.now();
    if (setAtMs - measuredAtMs > STALE_MS) averageMs = 0;
    isArmed = true;
    setTimeout(() => {
      isArmed = false;
      measuredAtMs = performance.now();
      averageMs += (Math.max(0, measuredAtMs - setAtMs - PROBE_MS) - averageMs) * WEIGHT;
    }, PROBE_MS).unref();
  }

  return {
    isLate() {
      if (maxMs === 0) return false;
      if (!isArmed) arm();
      return averageMs > maxMs;
    },
    get averageMs() {
      return averageMs;
    },
  };
}
