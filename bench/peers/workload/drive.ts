import { setTimeout as pause } from "node:timers/promises";
import { Histogram } from "../../driver/histogram.ts";
import type { RunningPeer } from "./program.ts";
import { makeTransfer } from "./transfer.ts";

/** A peer that fails so often will not do better: each failure would be followed by the next at once. */
const MAX_ERRORS = 200;
/** Transfers open at the end of the window have so long to complete. */
const DRAIN_LIMIT_MS = 30_000;
const MAX_ERROR_LENGTH = 200;

export interface DriveOptions<Usage> {
  peer: Pick<RunningPeer, "carryOut" | "setSize">;
  inFlight: number;
  warmUpSeconds: number;
  seconds: number;
  /** Called at the start and at the end of the window, to read what was used by then. */
  readUsage(): Usage;
}

export interface Driven<Usage> {
  transfers: number;
  windowSeconds: number;
  p50Ms: number;
  p99Ms: number;
  before: Usage;
  after: Usage;
  /** Transfers seen complete in the whole run. */
  completed: number;
  errors: number;
  firstError: string | null;
}

function messageOf(error: unknown): string {
  const innermost = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (innermost instanceof Error ? innermost.message : String(innermost)).slice(0, MAX_ERROR_LENGTH);
}

/**
 * Keeps `inFlight` transfers open (a closed loop), warms up, measures for `seconds`, and waits until
 * all that is open is complete. A time is from the start of a transfer to its final answer.
 *
 * Transfers that never complete are counted as errors.
 */
export async function drive<Usage>(options: DriveOptions<Usage>): Promise<Driven<Usage>> {
  const { peer, inFlight, warmUpSeconds, seconds, readUsage } = options;
  const setSize = peer.setSize ?? 1;
  const times = new Histogram();
  let [completed, errors, open] = [0, 0, 0];
  let firstError: string | null = null;
  let [measuring, stopping] = [false, false];

  async function keepOneSetOpen(): Promise<void> {
    while (!stopping) {
      const set = Array.from({ length: setSize }, makeTransfer);
      const startedAt = performance.now();
      open += setSize;
      try {
        await peer.carryOut(set);
        completed += setSize;
        const tookMs = performance.now() - startedAt;
        if (measuring) for (let index = 0; index < setSize; index++) times.add(tookMs);
      } catch (error) {
        errors += setSize;
        firstError ??= messageOf(error);
        if (errors >= MAX_ERRORS) stopping = true;
      }
      open -= setSize;
    }
  }

  const all = Promise.all(Array.from({ length: Math.max(1, inFlight / setSize) }, keepOneSetOpen));
  await pause(warmUpSeconds * 1_000);
  const before = readUsage();
  const startedAt = performance.now();
  measuring = true;
  await pause(seconds * 1_000);
  measuring = false;
  const windowSeconds = (performance.now() - startedAt) / 1_000;
  const after = readUsage();
  stopping = true;
  await Promise.race([all, pause(DRAIN_LIMIT_MS, undefined, { ref: false })]);
  if (open > 0) firstError ??= `${open} transfers were not complete ${DRAIN_LIMIT_MS} ms after the last was started`;
  return {
    transfers: times.count,
    windowSeconds,
    p50Ms: times.percentile(0.5),
    p99Ms: times.percentile(0.99),
    before,
    after,
    completed,
    errors: errors + open,
    firstError,
  };
}
