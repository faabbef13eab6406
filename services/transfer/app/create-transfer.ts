import { type Batcher, createBatcher, type Database, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type AccountFacts, checkRequest, type TransferFacts } from "../domain/transfer.ts";
import { sagaStateOf, type TransferSagaState } from "../sagas/state.ts";
import type { CreateTransfer, NewTransfer, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
  insertTransfers(tx: Transaction, transfers: readonly NewTransfer[], now: Date): Promise<Set<string>>;
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

interface Members {
  stateOf(memberId: string): Promise<TransferFacts["memberState"]>;
}

interface Accounts {
  factsOf(accountId: string): Promise<AccountFacts | undefined>;
}

export interface CreateTransferDeps {
  database: Database;
  store: TransferStore;
  sagas: SagaBeginner;
  members: Members;
  accounts: Accounts;
  now(): Date;
}

export interface CreatedTransfer {
  transfer: TransferRow;
  /** It was recorded by an earlier request with the same key. */
  replayed: boolean;
}

function sagaOf({ transfer, traceparent }: CreateTransfer, createdAt: Date) {
  const definition = transfer.destination.kind === "bank" ? "send-money" : "move-money";
  return { id: transfer.id, definition, state: sagaStateOf(transfer), traceparent, createdAtMs: createdAt.getTime() };
}

/** A transfer as it was recorded just now. */
function recordedRow(transfer: NewTransfer, createdAt: Date): TransferRow {
  return { ...transfer, state: "ACCEPTED", failure: undefined, version: 1n, createdAt, updatedAt: createdAt };
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
  const { database, store, sagas, members, accounts, now } = deps;

  const known: Batcher<string, TransferRow | undefined> = createBatcher({
    async run(ids) {
      const found = await store.findTransfers(database, ids);
      return ids.map((id) => found.get(id));
    },
  });

  // The same key twice in one set: the first is recorded, the second reads it.
  const recorded: Batcher<CreateTransfer, { transfer: TransferRow; fresh: boolean }> = createBatcher({
    run: (requests) =>
      database.transaction(async (tx) => {
        const byId = new Map(requests.toReversed().map((request) => [request.transfer.id, request]));
        const ids = [...byId.keys()].sort(); // Two sets with the same keys insert them in one order: no deadlock.
        const first = ids.map((id) => byId.get(id)!);
        const createdAt = now();
        const fresh = await store.insertTransfers(
          tx,
          first.map(({ transfer }) => transfer),
          createdAt,
        );
        const begun = first.filter(({ transfer }) => fresh.has(transfer.id));
        await sagas.begin(
          tx,
          begun.map((request) => sagaOf(request, createdAt)),
        );
        const others = ids.filter((id) => !fresh.has(id));
        const rows = others.length === 0 ? new Map<string, TransferRow>() : await store.findTransfers(tx, others);
        for (const { transfer } of begun) rows.set(transfer.id, recordedRow(transfer, createdAt));
        return requests.map((request) => {
          const { id } = request.transfer;
          const transfer = rows.get(id);
          if (transfer === undefined) throw new Error(`transfer ${id} was recorded but cannot be read`);
          return { transfer, fresh: fresh.has(id) && byId.get(id) === request };
        });
      }),
  });

  async function factsFor(request: NewTransfer): Promise<TransferFacts> {
    const { destination } = request;
    const [memberState, source, target] = await Promise.all([
      members.stateOf(request.memberId),
      accounts.factsOf(request.sourceAccountId),
      destination.kind === "account" ? accounts.factsOf(destination.accountId) : undefined,
    ]);
    return { memberState, source, destination: target };
  }

  return async (request) => {
    const wanted = request.transfer;
    const facts = factsFor(wanted); // Asked for at the same time, since almost every key is new.
    facts.catch(() => {}); // A replay needs none, also where they cannot be had.
    const before = await known.add(wanted.id);
    if (before !== undefined) return replayOf(before, wanted);
    checkRequest(wanted, await facts);
    const { transfer, fresh } = await recorded.add(request);
    return fresh ? { transfer, replayed: false } : replayOf(transfer, wanted);
  };
}
