import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import type { SagaFailure } from "@ferry/platform/saga";
import type { EndScheduled } from "./end-scheduled.ts";
import type { TransferRow } from "./transfer-row.ts";

const EXPIRED: SagaFailure = {
  code: "TRANSFER_EXPIRED",
  message: "the transfer's expire time came before its money was sent",
};

export interface ExpireTransfersDeps {
  database: Database;
  store: { findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>> };
  due: { deleteWork(from: Queryable, kind: "expire-transfer", ids: readonly string[]): Promise<void> };
  sagas: { cancel(tx: Transaction, id: string, failure: SagaFailure): Promise<unknown> };
  endScheduled: EndScheduled;
}

/** Takes back transfers whose time is over. One that has reached its pivot, or its end, stays as it is. */
export function createExpireTransfers({ database, store, due, sagas, endScheduled }: ExpireTransfersDeps) {
  const expire = (id: string): Promise<void> =>
    database.transaction(async (tx) => {
      const row = (await store.findTransfers(tx, [id])).get(id);
      const left = row && (await endScheduled(tx, [{ row, state: "FAILED", failure: EXPIRED }]));
      if (row !== undefined && !left?.has(id)) await sagas.cancel(tx, id, EXPIRED);
      await due.deleteWork(tx, "expire-transfer", [id]);
    });

  return async (ids: readonly string[]): Promise<void> => {
    const failures: unknown[] = [];
    // One by one: what keeps one from turning back does not keep the others.
    for (const id of ids) await expire(id).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
}
