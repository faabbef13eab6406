import type { Transfer } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Database } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { isUnderWay, type TransferState } from "../domain/transfer.ts";
import { toTransferMessage } from "./transfer-message.ts";
import type { Standings } from "./transfer-standing.ts";

export interface WatchTransfersDeps {
  database: Database;
  standings: Pick<Standings, "find">;
  /** Watchers at once; one more is refused. Default 5,000. */
  maxWatching?: number;
  /** How often transfers are looked up that another instance may have moved, in milliseconds. Default 1,000. */
  lookEveryMs?: number;
}

export interface WatchRequest {
  memberId: string;
  id: string;
  /** Only what is newer than this version. */
  after: bigint;
  signal: AbortSignal;
}

export interface WatchTransfers {
  /**
   * Tells a transfer, and again at each change of its state, until its end, the signal or the close.
   * @throws FerryError NOT_FOUND when there is none, or it is another's; OVERLOADED.
   */
  watch(request: WatchRequest): AsyncGenerator<{ transfer: Transfer; version: bigint }>;
  /** Wakes whoever watches these; called after the commit that moved them. Costs nothing while nobody watches. */
  moved(transfers: readonly { id: string }[]): void;
  close(): void;
}

interface Watcher {
  id: string;
  /** The version that was told last. */
  seen: bigint;
  /** Something may have changed. */
  wake(): void;
}

const IDS_AT_ONCE = 500;
/** An operator can still move what is PARKED. */
const ENDS: ReadonlySet<TransferState> = new Set(["COMPLETED", "FAILED", "CANCELED"]);

/** Watchers are woken in process where the same instance moved the transfer, and otherwise by a slow look at all of theirs. */
export function createWatchTransfers(deps: WatchTransfersDeps): WatchTransfers {
  const { database, standings, maxWatching = 5_000, lookEveryMs = 1_000 } = deps;
  const watching = new Map<string, Set<Watcher>>();
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function look(): Promise<void> {
    try {
      const ids = [...watching.keys()];
      for (let from = 0; from < ids.length; from += IDS_AT_ONCE)
        for (const [id, { row }] of await standings.find(database, ids.slice(from, from + IDS_AT_ONCE)))
          for (const watcher of watching.get(id) ?? []) if (row.version > watcher.seen) watcher.wake();
    } catch {
      // The database is away: the next look may succeed.
    }
    timer = undefined;
    lookLater();
  }

  function lookLater(): void {
    if (watching.size > 0 && !closed) timer ??= setTimeout(() => void look(), lookEveryMs);
  }

  function enter(watcher: Watcher): void {
    if (count >= maxWatching)
      throw new FerryError("OVERLOADED", "too many transfers are watched", { retryAfterMs: 1_000 });
    count++;
    const watchers = watching.get(watcher.id) ?? new Set();
    watching.set(watcher.id, watchers.add(watcher));
    lookLater();
  }

  function leave(watcher: Watcher): void {
    count--;
    const watchers = watching.get(watcher.id);
    if (watchers?.delete(watcher) && watchers.size === 0) watching.delete(watcher.id);
  }

  async function* watch({ memberId, id, after, signal }: WatchRequest) {
    let changed = Promise.withResolvers<void>();
    let told: TransferState | undefined;
    const watcher: Watcher = { id, seen: after, wake: () => changed.resolve() };
    enter(watcher);
    signal.addEventListener("abort", watcher.wake, { once: true });
    try {
      while (!signal.aborted && !closed) {
        changed = Promise.withResolvers();
        const found = (await standings.find(database, [id])).get(id);
        if (found?.row.memberId !== memberId) throw new FerryError("NOT_FOUND", `no transfer ${id}`);
        const { row, saga } = found;
        // One that is tried again on its way has a new version, and is where it was.
        const isSame = row.state === told && isUnderWay(told);
        if (row.version > watcher.seen && !isSame)
          yield { transfer: toTransferMessage(row, saga), version: row.version };
        if (row.version > watcher.seen) watcher.seen = row.version;
        told = row.state;
        if (ENDS.has(row.state)) return;
        await changed.promise;
      }
    } finally {
      signal.removeEventListener("abort", watcher.wake);
      leave(watcher);
    }
  }

  return {
    watch,
    moved(transfers) {
      if (watching.size === 0) return;
      for (const { id } of transfers) for (const watcher of watching.get(id) ?? []) watcher.wake();
    },
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watchers of watching.values()) for (const watcher of watchers) watcher.wake();
    },
  };
}
