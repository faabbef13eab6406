import { createBatcher } from "@ferry/platform/db";
import { WINDOW_MS } from "./budget.ts";
import type { LeaseStore } from "./store/lease-store.ts";

/** What an edge asks of a budget that it shares with others. */
export interface LeaseRequest {
  /** Names the budget and the caller. */
  key: string;
  /** Requests that it would take. */
  want: number;
  /** Requests in a window, of all edges together. */
  limit: number;
}

export interface LeaseGrant {
  /** Requests that the edge may let through; 0 when all is spent, or lies with other edges. */
  granted: number;
  /** What is left to all of them. */
  left: number;
  /** Names the window: another one has another. */
  windowId: number;
  endsInMs: number;
}

/** What an edge has of a budget and did not use. */
export interface Lease {
  key: string;
  windowId: number;
  unspent: number;
}

export interface Idle {
  idle: readonly Lease[];
  /** Leases that stay here, for now. */
  held: number;
}

export interface Leases {
  /** Resolves to undefined when the store is away or does not answer in time. */
  take(request: LeaseRequest): Promise<LeaseGrant | undefined>;
  /** Whether the store failed a moment ago, so that it is no use to ask. */
  away(): boolean;
}

export interface LeaseCounts {
  taken: number;
  /** Statements that failed, and leases that did not come in time. */
  failed: number;
}

/** After a failure, requests are counted here for so long before the store is asked again. */
const AWAY_MS = 1_000;
/** The time that a start waits for the store. */
const START_MS = 5_000;
const PURGE_EVERY_MS = 10_000;
const IDLE_MS = 5_000;
/** Bounds the rows in the store by what each edge may ask for; beyond it, callers are counted here alone. */
const MAX_LEASES_A_WINDOW = 100_000;

export interface SharedLeases extends Leases {
  readonly counts: LeaseCounts;
  /** Gives back what lies idle, from now on and until it is stopped. */
  watch(takeIdle: (all: boolean) => Idle): void;
  /** Makes the store ready, where it can be reached soon. Without it the edge starts all the same. */
  start(): Promise<void>;
  /** Gives back all. */
  stop(): Promise<void>;
}

/**
 * Takes shares of budgets from a store. Requests for leases are gathered, so that many callers cost one statement,
 * and a caller's requests cost one for each lease.
 *
 * @param waitMs A request waits no longer for the store; it is counted by its edge alone then.
 */
export function createLeases(store: LeaseStore, waitMs: number): SharedLeases {
  const counts: LeaseCounts = { taken: 0, failed: 0 };
  let awayUntilMs = 0;
  let purgedAtMs = Date.now();
  let asked = { sinceMs: 0, count: 0 };
  let idleTimer: NodeJS.Timeout | undefined;
  let takeIdle: (all: boolean) => Idle = () => ({ idle: [], held: 0 });

  const batcher = createBatcher<LeaseRequest, LeaseGrant>({ run: (requests) => store.take(requests, WINDOW_MS) });

  function failed(): void {
    counts.failed++;
    awayUntilMs = Date.now() + AWAY_MS;
  }

  function isCrowded(nowMs: number): boolean {
    if (asked.sinceMs + WINDOW_MS <= nowMs) asked = { sinceMs: nowMs, count: 0 };
    return asked.count++ >= MAX_LEASES_A_WINDOW;
  }

  /** @returns Whether leases are left that may lie idle later. */
  async function giveBack(all: boolean): Promise<boolean> {
    const { idle, held } = takeIdle(all);
    if (idle.length > 0) await store.giveBack(idle).catch(failed);
    return held > 0;
  }

  async function sweep(): Promise<void> {
    const nowMs = Date.now();
    const isDue = purgedAtMs + PURGE_EVERY_MS <= nowMs;
    if (isDue) purgedAtMs = nowMs;
    const [held] = await Promise.all([giveBack(false), isDue ? store.purge().catch(failed) : undefined]);
    idleTimer = undefined;
    if (held) sweepLater();
  }

  /** Runs only while leases are out: an edge without requests does nothing. */
  function sweepLater(): void {
    idleTimer ??= setTimeout(() => void sweep(), IDLE_MS).unref();
  }

  return {
    counts,
    away: () => awayUntilMs > Date.now(),
    async take(request) {
      if (isCrowded(Date.now())) return undefined;
      const late = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => late.resolve(undefined), waitMs);
      try {
        const grant = await Promise.race([batcher.add(request), late.promise]);
        if (grant === undefined) failed();
        else counts.taken++;
        sweepLater();
        return grant;
      } catch {
        failed();
        return undefined;
      } finally {
        clearTimeout(timer);
      }
    },
    watch(idleOf) {
      takeIdle = idleOf;
    },
    async start() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, START_MS);
      await Promise.race([store.ready().catch(failed), late.promise]);
      clearTimeout(timer);
    },
    async stop() {
      clearTimeout(idleTimer);
      await giveBack(true);
    },
  };
}
