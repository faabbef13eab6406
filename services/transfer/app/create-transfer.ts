import { type Batcher, createBatcher, type Database, type Queryable, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type AccountFacts, checkRequest, type TransferFacts } from "../domain/transfer.ts";
import { sagaStateOf, type TransferSagaState } from "../sagas/state.ts";
import type { NewTransfer, TransferRow } from "./transfer-row.ts";

interface TransferStore {
  findTransfers(from: Queryable, ids: readonly string[]): Promise<Map<string, TransferRow>>;
  insertTransfers(tx: Transaction, transfers: readonly NewTransfer[]): Promise<Set<string>>;
}

interface SagaBeginner {
  begin(
    tx: Transaction,
    sagas: readonly { id: string; definition: string; state: TransferSagaState }[],
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
}

export interface CreatedTransfer {
  transfer: TransferRow;
  /** It was recorded by an earlier request with the same key. */
  replayed: boolean;
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
export function createCreateTransfer(deps: CreateTransferDeps): (request: NewTransfer) => Promise<CreatedTransfer> {
  const { database, store, sagas, members, accounts } = deps;

  const known: Batcher<string, TransferRow | undefined> = createBatcher({
    async run(ids) {
      const found = await store.findTransfers(database, ids);
      return ids.map((id) => found.get(id));
    },
  });

  // The same key twice in one set: the first is recorded, the second reads it.
  const recorded: Batcher<NewTransfer, { transfer: TransferRow; fresh: boolean }> = createBatcher({
    run: (requests) =>
      database.transaction(async (tx) => {
        const byId = new Map(requests.toReversed().map((request) => [request.id, request]));
        const fresh = await store.insertTransfers(tx, [...byId.values()]);
        const starting = [...byId.values()].filter(({ id }) => fresh.has(id));
        await sagas.begin(
          tx,
          starting.map((request) => ({
            id: request.id,
            definition: request.destination.kind === "bank" ? "send-money" : "move-money",
            state: sagaStateOf(request),
          })),
        );
        const rows = await store.findTransfers(tx, [...byId.keys()]);
        return requests.map((request) => {
          const transfer = rows.get(request.id);
          if (transfer === undefined) throw new Error(`transfer ${request.id} was recorded but cannot be read`);
          return { transfer, fresh: fresh.has(request.id) && byId.get(request.id) === request };
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
    const before = await known.add(request.id);
    if (before !== undefined) return replayOf(before, request);
    checkRequest(request, await factsFor(request));
    const { transfer, fresh } = await recorded.add(request);
    return fresh ? { transfer, replayed: false } : replayOf(transfer, request);
  };
}
