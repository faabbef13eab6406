import type { Transaction } from "@ferry/platform/db";
import { hasEnded, type Saga } from "./saga.ts";

const MAX_KNOWN = 10_000;

/**
 * Sagas under way as this process has last written them, so that a reply need not read them again.
 *
 * What it holds may be old: another instance, the clock or an operator may have changed the saga since.
 * Whoever writes on its word must say which revision that was, and read the saga when that is not the
 * present one. It holds 10,000 sagas at most; the one written longest ago is forgotten first.
 */
export function createKnownSagas(limit = MAX_KNOWN) {
  const known = new Map<string, Saga>();

  function keep(sagas: readonly Saga[]): void {
    for (const saga of sagas) {
      known.delete(saga.id);
      if (!hasEnded(saga)) known.set(saga.id, saga);
    }
    for (const id of known.keys()) {
      if (known.size <= limit) break;
      known.delete(id);
    }
  }

  return {
    find: (id: string): Saga | undefined => known.get(id),
    /** Remembers them as they are once the transaction is committed. */
    keepAfterCommit(tx: Transaction, sagas: readonly Saga[]): void {
      tx.afterCommit(() => keep(sagas));
    },
    forget(ids: Iterable<string>): void {
      for (const id of ids) known.delete(id);
    },
  };
}

export type KnownSagas = ReturnType<typeof createKnownSagas>;
