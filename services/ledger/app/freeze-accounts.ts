import type { Database, Transaction } from "@ferry/platform/db";
import { type AccountId, freezeAccount, unfreezeAccount } from "../domain/account.ts";
import { accountNotFound } from "./get-accounts.ts";
import type { AccountRecord } from "./records.ts";

/** Who asks for it, and why, for the audit log. */
export interface FreezeOrder {
  /** A service's name, as "transfer", or "operator:" and the operator's id. */
  actor: string;
  /** 1 to 500 characters. */
  reason: string;
}

/** A change of state as it goes into the audit log. */
export interface FreezeAudit extends FreezeOrder {
  action: "freeze" | "unfreeze";
  before: AccountRecord;
  after: AccountRecord;
}

interface FreezingStore {
  /** Locks in the order of ids. Unknown ids are left out. */
  lockRecords(tx: Transaction, ids: readonly AccountId[]): Promise<AccountRecord[]>;
  saveStates(tx: Transaction, changes: readonly FreezeAudit[]): Promise<void>;
}

interface Options {
  database: Database;
  store: FreezingStore;
}

export interface FreezeAccounts {
  /** @throws FerryError NOT_FOUND, ACCOUNT_CLOSED. */
  freezeAccount(id: AccountId, order: FreezeOrder): Promise<AccountRecord>;
  /** @throws FerryError NOT_FOUND, ACCOUNT_CLOSED. */
  unfreezeAccount(id: AccountId, order: FreezeOrder): Promise<AccountRecord>;
  /** Gives the ids that are frozen now. Unknown and closed accounts, and the platform's own, are left out. */
  freezeAccounts(ids: readonly AccountId[], order: FreezeOrder): Promise<AccountId[]>;
  /** Gives the ids that are open now. Unknown and closed accounts, and the platform's own, are left out. */
  unfreezeAccounts(ids: readonly AccountId[], order: FreezeOrder): Promise<AccountId[]>;
}

/**
 * Freezes members' accounts and opens them again, under their locks, and writes down who did it, why,
 * and what the state was; what changes nothing is not written down.
 *
 * A frozen account takes no new holds (ACCOUNT_FROZEN) and cannot be closed. Holds that are open can
 * still be settled or released, and credits still arrive, so that nothing that is under way gets stuck.
 * The auditor, in this process, freezes by `freezeAccounts`; other services by rpc, operators by route.
 */
export function createFreezeAccounts({ database, store }: Options): FreezeAccounts {
  type Action = FreezeAudit["action"];

  function change(
    action: Action,
    ids: readonly AccountId[],
    order: FreezeOrder,
    takes: (one: AccountRecord) => boolean,
  ) {
    const decide = action === "freeze" ? freezeAccount : unfreezeAccount;
    return database.transaction(async (tx) => {
      const locked = await store.lockRecords(tx, [...new Set(ids)]);
      const decided = locked.filter(takes).map((before) => ({ ...order, action, before, after: decide(before) }));
      const changes = decided.filter(({ before, after }) => before !== after);
      if (changes.length > 0) await store.saveStates(tx, changes);
      return decided.map(({ after }) => after);
    });
  }

  const one = (action: Action) => async (id: AccountId, order: FreezeOrder) => {
    const [account] = await change(action, [id], order, ({ kind }) => kind === "member");
    if (account === undefined) throw accountNotFound();
    return account;
  };
  const isOurs = ({ kind, state }: AccountRecord) => kind === "member" && state !== "closed";
  const many = (action: Action) => async (ids: readonly AccountId[], order: FreezeOrder) =>
    (await change(action, ids, order, isOurs)).map(({ id }) => id);

  return {
    freezeAccount: one("freeze"),
    unfreezeAccount: one("unfreeze"),
    freezeAccounts: many("freeze"),
    unfreezeAccounts: many("unfreeze"),
  };
}
