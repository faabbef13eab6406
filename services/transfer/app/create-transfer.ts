import { type Batcher, createBatcher, type Database, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import {
  checkPlan,
  checkRequest,
  initialStateOf,
  type TransferFacts,
  type TransferRequest,
} from "../domain/transfer.ts";
import { definitionOf } from "../sagas/send-in-batch.ts";
import { sagaStateOf, type TransferSagaState } from "../sagas/state.ts";
import type { DueWork } from "./batch-rows.ts";
import type { CreateTransfer, NewTransfer, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
  insertTransfers(tx: Transaction, transfers: readonly NewTransfer[], now: Date): Promise<Set<string>>;
  /** The same where all are new; else it fails as a lost race. */
  insertNewTransfers(tx: Transaction, transfers: readonly NewTransfer[], now: Date): Promise<void>;
}

interface SagaBeginner {
  begin(
    tx: Transaction,
    sagas: readonly {
      id: string;
      definition: string;
      state: TransferSagaState;
      traceparent: string | undefined;
      createdAtMs: number;
    }[],
  ): Promise<unknown>;
}

interface DueStore {
  planWork(tx: Transaction, work: readonly DueWork[]): Promise<void>;
}

export interface CreateTransferDeps {
  database: Database;
  store: TransferStore;
  due: DueStore;
  sagas: SagaBeginner;
  factsFor(request: TransferRequest): Promise<TransferFacts>;
  /** Hears after the commit of work that has its time, Unix time in milliseconds. */
  wakeBy(dueAtMs: number): void;
  now(): Date;
}

export interface CreatedTransfer {
  transfer: TransferRow;
  /** It was recorded by an earlier request with the same key. */
  replayed: boolean;
}

function sagaOf({ transfer, traceparent }: CreateTransfer, createdAt: Date) {
  const definition = definitionOf(transfer.destination.kind, false);
  return { id: transfer.id, definition, state: sagaStateOf(transfer), traceparent, createdAtMs: createdAt.getTime() };
}

/** A transfer as it was recorded just now. */
function recordedRow(transfer: NewTransfer, createdAt: Date): TransferRow {
  const state = initialStateOf(transfer);
  return { ...transfer, state, failure: undefined, version: 1n, createdAt, updatedAt: createdAt };
}

/** What is to be done about a transfer at its times; nothing for most. */
function workOf({ id, executeAtMs, expireAtMs }: NewTransfer): DueWork[] {
  const work: DueWork[] = [];
  if (executeAtMs !== undefined) work.push({ id, kind: "begin-transfer", dueAtMs: executeAtMs });
  if (expireAtMs !== undefined) work.push({ id, kind: "expire-transfer", dueAtMs: expireAtMs });
  return work;
}

/** Whether a recorded transfer came of the same request. @throws FerryError IDEMPOTENCY_KEY_REUSED when not. */
function replayOf(recorded: TransferRow, request: NewTransfer): CreatedTransfer {
  if (Buffer.compare(recorded.requestHash, request.requestHash) !== 0)
    throw new FerryError("IDEMPOTENCY_KEY_REUSED", "the idempotency key was used before, with another request");
  return { transfer: recorded, replayed: true };
}

/**
 * Records transfers: the row, the saga and its first command in one transaction. Concurrent callers
 * are gathered, for the look-up as for the record.
 *
 * A key that was used before is answered from the record, before anything is checked: its transfer
 * is on its way, whatever became of the member since.
 */
export function createCreateTransfer(deps: CreateTransferDeps): (request: CreateTransfer) => Promise<CreatedTransfer> {
  const { database, store, due, sagas, factsFor, wakeBy, now } = deps;

  async function planWork(tx: Transaction, requests: readonly CreateTransfer[]): Promise<void> {
    const work = requests.flatMap(({ transfer }) => workOf(transfer));
    if (work.length === 0) return;
    tx.afterCommit(() => wakeBy(Math.min(...work.map(({ dueAtMs }) => dueAtMs))));
    await due.planWork(tx, work);
  }

  const known: Batcher<string, TransferRow | undefined> = createBatcher({
    async run(ids) {
      const found = await store.findTransfers(database, ids);
      return ids.map((id) => found.get(id));
    },
  });

  async function begin(tx: Transaction, added: readonly CreateTransfer[], createdAt: Date): Promise<void> {
    const begun = added.filter(({ transfer }) => initialStateOf(transfer) === "ACCEPTED");
    await Promise.all([
      sagas.begin(
        tx,
        begun.map((request) => sagaOf(request, createdAt)),
      ),
      planWork(tx, added),
    ]);
  }

  /** Records those that are new; gives the others as they are recorded. */
  async function recordNew(tx: Transaction, requests: readonly CreateTransfer[], createdAt: Date) {
    const transfers = requests.map(({ transfer }) => transfer);
    const fresh = await store.insertTransfers(tx, transfers, createdAt);
    await begin(
      tx,
      requests.filter(({ transfer }) => fresh.has(transfer.id)),
      createdAt,
    );
    const others = transfers.filter(({ id }) => !fresh.has(id)).map(({ id }) => id);
    const found = await store.findTransfers(tx, others);
    for (const id of others) if (!found.has(id)) throw new Error(`transfer ${id} was recorded but cannot be read`);
    return found;
  }

  /** Records them where all are new, as almost always they are: all is asked for at once. */
  async function recordAll(tx: Transaction, requests: readonly CreateTransfer[], createdAt: Date): Promise<void> {
    const transfers = requests.map(({ transfer }) => transfer);
    const recording = Promise.all([store.insertNewTransfers(tx, transfers, createdAt), begin(tx, requests, createdAt)]);
    tx.conclude();
    await recording;
  }

  const recorded: Batcher<CreateTransfer, { transfer: TransferRow; fresh: boolean }> = createBatcher({
    async run(requests) {
      // The same key twice in one set: the first is recorded, the second is its replay.
      const byId = new Map(requests.toReversed().map((request) => [request.transfer.id, request]));
      const ids = [...byId.keys()].sort(); // Two sets with the same keys insert them in one order: no deadlock.
      const first = ids.map((id) => byId.get(id)!);
      const createdAt = now();
      const others = await database.transaction(async (tx, count) => {
        if (count > 1) return recordNew(tx, first, createdAt);
        await recordAll(tx, first, createdAt);
        return new Map<string, TransferRow>();
      });
      return requests.map((request) => {
        const other = others.get(request.transfer.id);
        if (other !== undefined) return { transfer: other, fresh: false };
        const recorded = byId.get(request.transfer.id)!;
        return { transfer: recordedRow(recorded.transfer, createdAt), fresh: recorded === request };
      });
    },
  });

  return async (request) => {
    const wanted = request.transfer;
    const facts = factsFor(wanted); // Asked for at the same time, since almost every key is new.
    facts.catch(() => {}); // A replay needs none, also where they cannot be had.
    const before = await known.add(wanted.id);
    if (before !== undefined) return replayOf(before, wanted);
    checkPlan(wanted, now().getTime());
    checkRequest(wanted, await facts);
    const { transfer, fresh } = await recorded.add(request);
    return fresh ? { transfer, replayed: false } : replayOf(transfer, wanted);
  };
}
