import type { Queryable } from "@ferry/platform/db";
import type { Saga } from "@ferry/platform/saga";
import { isUnderWay, type Progress, stateOf } from "../domain/transfer.ts";
import type { TransferRow } from "./transfer-row.ts";

/** A transfer as it stands, with its saga; of one that never began there is none, nor of one that ended long ago. */
export interface Standing {
  row: TransferRow;
  saga: Saga | undefined;
}

export interface StandingDeps {
  store: { findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>> };
  sagas: { find(from: Queryable, ids: readonly string[]): Promise<Map<string, Saga>> };
}

/** How far a saga has come, as the states of its transfer tell it. */
export function progressOf({ status, steps, failure }: Saga): Progress {
  const done = new Set<string>();
  for (const { name, status } of steps)
    if (status !== "pending" && status !== "running" && status !== "unknown" && status !== "failed") done.add(name);
  return { status, done, canceled: failure?.code === "CANCELED_BY_MEMBER" };
}

/**
 * A row as its transfer stands. It is written when the transfer is recorded or begins, when it turns back, and when
 * it comes to rest or leaves it. Between these its saga goes forward, and says how far: a row less for each step.
 */
function asItStands(row: TransferRow, saga: Saga | undefined): TransferRow {
  if (saga?.status !== "running" || !isUnderWay(row.state)) return row;
  const revision = BigInt(saga.revision);
  const updatedAtMs = Math.max(row.updatedAt.getTime(), ...saga.steps.map(({ endedAtMs = 0 }) => endedAtMs));
  return {
    ...row,
    state: stateOf(progressOf(saga)),
    version: revision > row.version ? revision : row.version,
    updatedAt: new Date(updatedAtMs),
  };
}

/** Reads transfers as they stand. */
export function createStandings({ store, sagas }: StandingDeps) {
  /** Sagas are read after the rows: what has ended is never shown with a step that runs. */
  async function withSagas(from: Queryable, rows: Iterable<TransferRow>): Promise<Map<string, Standing>> {
    const all = [...rows];
    const found = await sagas.find(
      from,
      all.map(({ id }) => id),
    );
    return new Map(all.map((row) => [row.id, { row, saga: found.get(row.id) }]));
  }

  /** What those rows, just read, stand for. */
  async function standingOf(from: Queryable, rows: Iterable<TransferRow>): Promise<Map<string, Standing>> {
    const found = await withSagas(from, rows);
    // Turned back, or at rest: its row was written with that, and may have been read before.
    const behind = [...found.values()].filter(
      ({ row, saga }) => isUnderWay(row.state) && saga !== undefined && saga.status !== "running",
    );
    if (behind.length > 0) {
      const ids = behind.map(({ row }) => row.id);
      const again = await withSagas(from, (await store.findTransfers(from, ids)).values());
      for (const [id, standing] of again) found.set(id, standing);
    }
    for (const standing of found.values()) standing.row = asItStands(standing.row, standing.saga);
    return found;
  }

  return {
    standingOf,
    /** The transfers of those ids that exist. */
    find: async (from: Queryable, ids: readonly string[]): Promise<Map<string, Standing>> =>
      standingOf(from, (await store.findTransfers(from, ids)).values()),
  };
}

export type Standings = ReturnType<typeof createStandings>;
