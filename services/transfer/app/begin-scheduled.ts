import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { checkRequest, type TransferFacts, type TransferRequest } from "../domain/transfer.ts";
import { definitionOf } from "../sagas/send-in-batch.ts";
import { sagaStateOf, type TransferSagaState } from "../sagas/state.ts";
import type { EndScheduled } from "./end-scheduled.ts";
import type { TransferChange, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
  leaveSchedule(tx: Transaction, transfers: readonly TransferChange[]): Promise<Set<string>>;
}

interface SagaBeginner {
  begin(
    tx: Transaction,
    sagas: readonly { id: string; definition: string; state: TransferSagaState }[],
  ): Promise<unknown>;
}

export interface BeginScheduledDeps {
  database: Database;
  store: TransferStore;
  due: { deleteWork(from: Queryable, kind: "begin-transfer", ids: readonly string[]): Promise<void> };
  sagas: SagaBeginner;
  factsFor(request: TransferRequest): Promise<TransferFacts>;
  endScheduled: EndScheduled;
  now(): Date;
}

/** Why a transfer cannot begin; undefined when it can. @throws what the others throw when they cannot be asked. */
function refusalOf(request: TransferRequest, facts: TransferFacts): FerryError | undefined {
  try {
    checkRequest(request, facts);
    return undefined;
  } catch (error) {
    if (error instanceof FerryError) return error;
    throw error;
  }
}

/**
 * Begins transfers whose time has come: member and accounts are checked once more, and what can no longer be paid
 * FAILED without ever having begun. While the others cannot be asked a transfer stays scheduled, and is due again.
 */
export function createBeginScheduled(deps: BeginScheduledDeps) {
  const { database, store, due, sagas, factsFor, endScheduled, now } = deps;

  async function begin(tx: Transaction, rows: readonly TransferRow[]): Promise<void> {
    const updatedAt = now();
    const left = await store.leaveSchedule(
      tx,
      rows.map(({ id, version }) => ({ id, state: "ACCEPTED", failure: undefined, version, updatedAt })),
    );
    const begun = rows.filter(({ id }) => left.has(id));
    await Promise.all([
      sagas.begin(
        tx,
        begun.map((row) => ({
          id: row.id,
          definition: definitionOf(row.destination.kind, false),
          state: { ...sagaStateOf(row), createdAtMs: row.createdAt.getTime() },
        })),
      ),
      due.deleteWork(tx, "begin-transfer", [...left]),
    ]);
  }

  return async (ids: readonly string[]): Promise<void> => {
    const found = await store.findTransfers(database, ids);
    const scheduled = [...found.values()].filter(({ state }) => state === "SCHEDULED");
    const waiting = new Set(scheduled.map(({ id }) => id));
    await due.deleteWork(
      database,
      "begin-transfer",
      ids.filter((id) => !waiting.has(id)),
    );
    if (scheduled.length === 0) return;
    const judged = await Promise.all(
      scheduled.map(async (row) => ({ row, refusal: refusalOf(row, await factsFor(row)) })),
    );
    await database.transaction(async (tx) => {
      const good = judged.filter(({ refusal }) => refusal === undefined).map(({ row }) => row);
      if (good.length > 0) await begin(tx, good);
      await endScheduled(
        tx,
        judged.flatMap(({ row, refusal }) =>
          refusal === undefined
            ? []
            : [{ row, state: "FAILED", failure: { code: refusal.reason, message: refusal.message } }],
        ),
      );
    });
  };
}
