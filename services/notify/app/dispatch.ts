import type { Database } from "@ferry/platform/db";
import type { DeliverStore, Taken } from "./deliver.ts";

export interface DispatchDeps {
  database: Database;
  store: Pick<DeliverStore, "takeDue"> & {
    msUntilDue(from: Database, withFailing: boolean): Promise<number | undefined>;
    releaseDeliveries(from: Database, taken: readonly { id: string; number: number }[]): Promise<void>;
  };
  /** Sends one and writes what came of it. */
  deliver(taken: Taken, signal: AbortSignal): Promise<"sent" | "canceled">;
  /** Deliveries under way at once in this process. */
  maxInFlight: number;
  inFlightEach: number;
  leaseMs: number;
  /** Told what went wrong with the queue or with one delivery; it is tried again. */
  onProblem(what: string, error: unknown): void;
}

export interface Dispatch {
  /** Deliveries under way in this process. */
  readonly inFlight: number;
  /** Something may be due: called by whoever added or ended it in this process. */
  wake(): void;
  /** Takes no more, lets those under way end for a time, and gives back the rest. */
  stop(): Promise<void>;
}

/** What another process has left is found so late at most, in milliseconds. */
const SLOW_LOOK_MS = 10_000;
const AFTER_PROBLEM_MS = 1_000;
/** Receivers that answer nothing must not use up the room of those that do: they share a quarter of it. */
const FAILING_SHARE = 0.25;
const STOP_GRACE_MS = 4_000;

/**
 * Keeps deliveries going: takes what is due as long as there is room, and sleeps until the next is due, by one
 * timer. Right on several replicas: each takes under locks, with a lease.
 */
export function createDispatch(deps: DispatchDeps): Dispatch {
  const { database, store, deliver, maxInFlight, inFlightEach, leaseMs, onProblem } = deps;
  const inFlight = new Map<Taken, Promise<void>>();
  const ending = new AbortController();
  let failingInFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const withFailing = () => failingInFlight < Math.max(1, maxInFlight * FAILING_SHARE);

  async function run(taken: Taken): Promise<void> {
    try {
      if ((await deliver(taken, ending.signal)) === "canceled") await store.releaseDeliveries(database, [taken]);
    } catch (error) {
      onProblem("a delivery's end was not written", error); // Its lease ends, and it is sent again.
    }
    inFlight.delete(taken);
    if (taken.failing) failingInFlight--;
    wake();
  }

  /** @returns when to look again, in milliseconds; undefined when somebody will call. */
  async function look(): Promise<number | undefined> {
    while (!stopped && inFlight.size < maxInFlight) {
      const request = { limit: maxInFlight - inFlight.size, inFlightEach, withFailing: withFailing(), leaseMs };
      const { looked, taken } = await database.transaction((tx) => store.takeDue(tx, request));
      for (const one of taken) {
        if (one.failing) failingInFlight++;
        inFlight.set(one, run(one));
      }
      if (looked === 0) {
        const dueMs = await store.msUntilDue(database, withFailing());
        // Due, and yet not taken: another process is at it.
        return Math.min(SLOW_LOOK_MS, dueMs === undefined ? SLOW_LOOK_MS : Math.max(dueMs, 50));
      }
    }
    return undefined;
  }

  async function lookOnce(): Promise<void> {
    clearTimeout(timer);
    let nextMs: number | undefined = SLOW_LOOK_MS;
    do {
      again = false;
      try {
        nextMs = await look();
      } catch (error) {
        onProblem("deliveries could not be taken", error);
        nextMs = AFTER_PROBLEM_MS;
      }
    } while (again && !stopped);
    looking = undefined;
    if (stopped || nextMs === undefined) return;
    timer = setTimeout(wake, nextMs);
  }

  function wake(): void {
    if (stopped) return;
    again = true;
    looking ??= lookOnce();
  }

  return {
    get inFlight() {
      return inFlight.size;
    },
    wake,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
      const grace = setTimeout(() => ending.abort(), STOP_GRACE_MS);
      await Promise.all(inFlight.values());
      clearTimeout(grace);
    },
  };
}
