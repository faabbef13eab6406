import { FerryError } from "@ferry/platform/errors";

export interface WaitersOptions<End> {
  /** Tells which of the ids have come to an end, and to which; asked now and then for those that another instance may have ended. */
  findEnded(ids: readonly string[]): Promise<Iterable<[id: string, end: End]>>;
  /** Callers that may wait at once; one more is refused with OVERLOADED. Default 10,000. */
  maxWaiting?: number;
  /** How often ids are looked up that nobody here has ended in this time, in milliseconds. Default 500. */
  lookEveryMs?: number;
}

export interface Waiters<End> {
  /**
   * Waits for the end of something. Register before it can end: before the commit that starts it, or
   * before it is read.
   *
   * @returns a handle; its promise resolves to the end, or undefined when the time is over.
   */
  wait(id: string, timeoutMs: number): Waiting<End>;
  /** Wakes whoever waits for this; called when this instance has ended it. */
  ended(id: string, end: End): void;
  close(): void;
}

export interface Waiting<End> {
  readonly done: Promise<End | undefined>;
  cancel(): void;
}

/** Who waits for one id, and whether they did at the last look already. */
interface Group<End> {
  settlers: Set<(end?: End) => void>;
  wasThere: boolean;
}

/** Wakes callers in process where the same instance ended what they wait for, and otherwise by a slow look: right on every replica. */
export function createWaiters<End>(options: WaitersOptions<End>): Waiters<End> {
  const { findEnded, maxWaiting = 10_000, lookEveryMs = 500 } = options;
  const waiting = new Map<string, Group<End>>();
  let count = 0;
  let timer: NodeJS.Timeout | undefined;

  function ended(id: string, end?: End): void {
    for (const settle of waiting.get(id)?.settlers ?? []) settle(end);
  }

  async function look(): Promise<void> {
    const ids: string[] = [];
    for (const [id, group] of waiting) {
      if (group.wasThere) ids.push(id);
      group.wasThere = true;
    }
    try {
      if (ids.length > 0) for (const [id, end] of await findEnded(ids)) ended(id, end);
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
      const { promise, resolve } = Promise.withResolvers<End | undefined>();
      const group = waiting.get(id) ?? { settlers: new Set(), wasThere: false };
      const settle = (end?: End) => {
        if (!group.settlers.delete(settle)) return;
        count--;
        clearTimeout(limit);
        if (group.settlers.size === 0 && waiting.get(id) === group) waiting.delete(id);
        resolve(end);
      };
      const limit = setTimeout(settle, timeoutMs);
      group.settlers.add(settle);
      waiting.set(id, group);
      count++;
      lookLater();
      return { done: promise, cancel: () => settle() };
    },
    ended,
    close() {
      clearTimeout(timer);
      for (const { settlers } of [...waiting.values()]) for (const settle of [...settlers]) settle();
    },
  };
}
