import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import { type AccountFacts, checkPayment, type PaymentFacts } from "../domain/payment.ts";
import { type PaySagaState, paySagaStateOf } from "../sagas/pay-state.ts";
import type { NewPayment, PaymentRow } from "./payment-row.ts";
import { type Created, replayOf } from "./replay.ts";

interface PaymentStore {
  findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>>;
  insertPayment(tx: Transaction, payment: NewPayment & { merchantMemberId: string }): Promise<boolean>;
}

interface SagaBeginner {
  begin(tx: Transaction, sagas: readonly { id: string; definition: string; state: PaySagaState }[]): Promise<unknown>;
}

export interface CreatePaymentDeps {
  database: Database;
  store: PaymentStore;
  sagas: SagaBeginner;
  members: { stateOf(memberId: string): Promise<PaymentFacts["memberState"]> };
  accounts: { factsOf(accountId: string): Promise<AccountFacts | undefined> };
}

/**
 * Records a payment: the row, the saga and its first command in one transaction. A key that was used
 * before is answered from the record, before anything is checked.
 */
export function createCreatePayment(deps: CreatePaymentDeps): (request: NewPayment) => Promise<Created<PaymentRow>> {
  const { database, store, sagas, members, accounts } = deps;

  async function getPayment(from: Queryable, id: string): Promise<PaymentRow> {
    const found = (await store.findPayments(from, [id])).get(id);
    if (found === undefined) throw new Error(`payment ${id} was recorded but cannot be read`);
    return found;
  }

  return async (request) => {
    const before = (await store.findPayments(database, [request.id])).get(request.id);
    if (before !== undefined) return replayOf(before, request);
    const [memberState, source, merchant] = await Promise.all([
      members.stateOf(request.memberId),
      accounts.factsOf(request.sourceAccountId),
      accounts.factsOf(request.merchantAccountId),
    ]);
    const merchantMemberId = checkPayment(request, { memberState, source, merchant });
    const { row, fresh } = await database.transaction(async (tx) => {
      const isNew = await store.insertPayment(tx, { ...request, merchantMemberId });
      if (isNew) await sagas.begin(tx, [{ id: request.id, definition: "pay", state: paySagaStateOf(request) }]);
      return { row: await getPayment(tx, request.id), fresh: isNew };
    });
    return fresh ? { row, replayed: false } : replayOf(row, request);
  };
}
