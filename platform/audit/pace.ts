import { performance } from "node:perf_hooks";

/** The share of the time that the auditor works while its process is busy, and while it is not. */
const BUSY_SHARE = 0.005;
const QUIET_SHARE = 0.05;
/** The process counts as busy when its event loop was at work for more than this part of the time. */
const BUSY_FROM = 0.1;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Makes the pauses that keep the auditor's cost down: after work of some time it rests for so much longer that
 * it has a small share of it. Under load it therefore falls behind, which its lag shows, and catches up after.
 */
export function createPace(): (workedMs: number, leastMs: number) => number {
  let before = performance.eventLoopUtilization();
  return (workedMs, leastMs) => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const share = utilization > BUSY_FROM ? BUSY_SHARE : QUIET_SHARE;
    return Math.min(Math.max(leastMs, workedMs * (1 / share - 1)), Math.max(leastMs, LONGEST_PAUSE_MS));
  };
}
