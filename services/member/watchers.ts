import type { AuthorityChange } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";

/** Replicas of all services together, with room to spare. */
const MAX_WATCHERS = 1_000;
/** Changes that a watcher may be behind; then it must begin anew with a snapshot. */
const MAX_BEHIND = 10_000;

interface Watcher {
  pending: AuthorityChange[];
  wake(): void;
}

/** Hands each change to all who watch, each at its own pace. */
export function createWatchers(snapshot: () => AuthorityChange) {
  const watchers = new Set<Watcher>();
  let closed = false;

  async function* watch(signal: AbortSignal): AsyncGenerator<AuthorityChange> {
    if (watchers.size >= MAX_WATCHERS) throw new FerryError("OVERLOADED", "too many watch the authority");
    let wake = () => {};
    const watcher: Watcher = { pending: [snapshot()], wake: () => wake() };
    watchers.add(watcher);
    signal.addEventListener("abort", watcher.wake);
    try {
      while (!closed && !signal.aborted) {
        if (watcher.pending.length > MAX_BEHIND)
          throw new FerryError("UNAVAILABLE", "the watcher fell behind: watch again for a new snapshot");
        const change = watcher.pending.shift();
        if (change !== undefined) yield change;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener("abort", watcher.wake);
      watchers.delete(watcher);
    }
  }

  return {
    watch,
    push(change: AuthorityChange): void {
      for (const watcher of watchers) {
        if (watcher.pending.length <= MAX_BEHIND) watcher.pending.push(change);
        watcher.wake();
      }
    },
    close(): void {
      closed = true;
      for (const { wake } of watchers) wake();
    },
  };
}
