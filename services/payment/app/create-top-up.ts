import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { checkRequest, type TopUpFacts } from "../domain/top-up.ts";
import { sagaStateOf, type TopUpSagaState } from "../sagas/state.ts";
import { type Created, replayOf } from "./replay.ts";
import type { NewTopUp, TopUpRow } from "./top-up-row.ts";

interface TopUpStore {
  findTopUps(from: Queryable, ids: readonly string[]): Promise<Map<string, TopUpRow>>;
  insertTopUp(tx: Transaction, topUp: NewTopUp): Promise<boolean>;
}

interface SagaBeginner {
  begin(tx: Transaction, sagas: readonly { id: string; definition: string; state: TopUpSagaState }[]): Promise<unknown>;
}

export interface CreateTopUpDeps {
  database: Database;
  store: TopUpStore;
  sagas: SagaBeginner;
  members: { stateOf(memberId: string): Promise<TopUpFacts["memberState"]> };
  accounts: { factsOf(accountId: string): Promise<TopUpFacts["account"]> };
}

/**
 * Records a top-up: the row, the saga and its first command in one transaction. A key that was used
 * before is answered from the record, before anything is checked.
 */
export function createCreateTopUp(deps: CreateTopUpDeps): (request: NewTopUp) => Promise<Created<TopUpRow>> {
  const { database, store, sagas, members, accounts } = deps;

  async function getTopUp(from: Queryable, id: string): Promise<TopUpRow> {
    const found = (await store.findTopUps(from, [id])).get(id);
    if (found === undefined) throw new Error(`top-up ${id} was recorded but cannot be read`);
    return found;
  }

  return async (request) => {
    const before = (await store.findTopUps(database, [request.id])).get(request.id);
    if (before !== undefined) return replayOf(before, request);
    const [memberState, account] = await Promise.all([
      members.stateOf(request.memberId),
      accounts.factsOf(request.accountId),
    ]);
    checkRequest(request, { memberState, account });
    const { row, fresh } = await database.transaction(async (tx) => {
      const isNew = await store.insertTopUp(tx, request);
      if (isNew) await sagas.begin(tx, [{ id: request.id, definition: "top-up", state: sagaStateOf(request) }]);
      return { row: await getTopUp(tx, request.id), fresh: isNew };
    });
    return fresh ? { row, replayed: false } : replayOf(row, request);
  };
}
