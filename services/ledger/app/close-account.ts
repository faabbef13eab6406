import type { Database, Transaction } from "@ferry/platform/db";
import { type AccountId, closeAccount } from "../domain/account.ts";
import { accountNotFound } from "./get-accounts.ts";
import type { AccountRecord } from "./records.ts";

interface ClosingStore {
  lockAccount(tx: Transaction, id: AccountId): Promise<AccountRecord | undefined>;
  saveClosed(tx: Transaction, account: AccountRecord): Promise<void>;
}

/** Closes a member's account for good, under its lock: a hold comes before it or is refused. */
export function createCloseAccount({ database, store }: { database: Database; store: ClosingStore }) {
  /** @throws FerryError NOT_FOUND, ACCOUNT_NOT_EMPTY. */
  return (id: AccountId, memberId: string): Promise<AccountRecord> =>
    database.transaction(async (tx) => {
      const account = await store.lockAccount(tx, id);
      if (account?.ownerId !== memberId) throw accountNotFound();
      const closed = closeAccount(account);
      if (closed !== account) await store.saveClosed(tx, closed);
      return closed;
    });
}
