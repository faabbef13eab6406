import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { EndScheduled } from "./end-scheduled.ts";
import type { TransferRow } from "./transfer-row.ts";

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
}

interface SagaCanceler {
  cancel(tx: Transaction, id: string): Promise<"canceling" | "too-late" | "ended" | "unknown">;
}

export interface CancelTransferDeps {
  database: Database;
  store: TransferStore;
  sagas: SagaCanceler;
  endScheduled: EndScheduled;
}

const CANCELED = { code: "CANCELED_BY_MEMBER", message: "canceled by the member" };

/**
 * Takes a transfer back as long as its money has not been sent; what was done is undone by its saga.
 *
 * @throws FerryError NOT_FOUND for none and for another's; TRANSFER_NOT_CANCELABLE when its money is
 * on its way or it has come to another end.
 */
export function createCancelTransfer({ database, store, sagas, endScheduled }: CancelTransferDeps) {
  async function getOwn(tx: Transaction, memberId: string, id: string): Promise<TransferRow> {
    const transfer = (await store.findTransfers(tx, [id])).get(id);
    if (transfer?.memberId !== memberId) throw new FerryError("NOT_FOUND", `no transfer ${id}`);
    return transfer;
  }

  return (memberId: string, id: string): Promise<void> =>
    database.transaction(async (tx) => {
      const row = await getOwn(tx, memberId, id);
      if (row.state === "SCHEDULED") {
        const left = await endScheduled(tx, [{ row, state: "CANCELED", failure: CANCELED }]);
        if (left.has(id)) return;
      }
      const result = await sagas.cancel(tx, id);
      if (result === "canceling") return;
      const { state } = await getOwn(tx, memberId, id); // Again: it may have come to its end meanwhile.
      if (state === "CANCELED") return;
      const why = result === "ended" ? "it has come to its end" : "its money is on its way, or it has failed already";
      throw new FerryError("TRANSFER_NOT_CANCELABLE", `the transfer cannot be taken back: ${why}`);
    });
}
