import { FerryError } from "@ferry/platform/errors";

export interface WaitersOptions {
  /** Tells which of the ids have come to an end; asked now and then for those that another instance may have ended. */
  findEnded(ids: readonly string[]): Promise<Iterable<string>>;
  /** Callers that may wait at once; one more is refused with OVERLOADED. Default 10,000. */
  maxWaiting?: number;
  /** How often ids are looked up that nobody here has ended, in milliseconds. Default 500. */
  lookEveryMs?: number;
}

export interface Waiters {
  /**
   * Waits for the end of something. Register before it can end: before the commit that starts it, or
   * before it is read.
   *
   * @returns a handle; its promise resolves true at the end, false when the time is over.
   */
  wait(id: string, timeoutMs: number): Waiting;
  /** Wakes whoever waits for these; called when this instance has ended them. */
  ended(ids: Iterable<string>): void;
  close(): void;
}

export interface Waiting {
  readonly done: Promise<boolean>;
  cancel(): void;
}

/** Wakes callers in process where the same instance ended what they wait for, and otherwise by a slow look: right on every replica. */
export function createWaiters({ findEnded, maxWaiting = 10_000, lookEveryMs = 500 }: WaitersOptions): Waiters {
  const waiting = new Map<string, Set<(ended: boolean) => void>>();
  let count = 0;
  let timer: NodeJS.Timeout | undefined;

  function ended(ids: Iterable<string>): void {
    for (const id of ids) for (const settle of waiting.get(id) ?? []) settle(true);
  }

  async function look(): Promise<void> {
    try {
      ended(await findEnded([...waiting.keys()]));
    } catch {
      // The database is away: whoever waits goes on waiting, and the next look may succeed.
    }
    timer = undefined;
    lookLater();
  }

  function lookLater(): void {
    if (waiting.size === 0) return;
    timer ??= setTimeout(() => void look(), lookEveryMs);
  }

  return {
    wait(id, timeoutMs) {
      if (count >= maxWaiting)
        throw new FerryError("OVERLOADED", "too many callers wait for an end", { retryAfterMs: 1_000 });
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const settlers = waiting.get(id) ?? new Set();
      const settle = (result: boolean) => {
        if (!settlers.delete(settle)) return;
        count--;
        clearTimeout(limit);
        if (settlers.size === 0 && waiting.get(id) === settlers) waiting.delete(id);
        resolve(result);
      };
      const limit = setTimeout(settle, timeoutMs, false);
      waiting.set(id, settlers.add(settle));
      count++;
      lookLater();
      return { done: promise, cancel: () => settle(false) };
    },
    ended,
    close() {
      clearTimeout(timer);
      for (const settlers of [...waiting.values()]) for (const settle of [...settlers]) settle(false);
    },
  };
}
