import { type Batcher, createBatcher, type Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AccountId } from "../domain/account.ts";
import type { AccountRecord } from "./records.ts";

interface AccountReader {
  findAccounts(db: Queryable, ids: readonly AccountId[]): Promise<Map<AccountId, AccountRecord>>;
}

type Found = ReadonlyMap<AccountId, AccountRecord>;

/** Callers whose reads go in one query; facts are asked for in lists, which bounds the ids in it. */
const MAX_CALLERS = 64;

/** Not there and not the caller's are one answer, so that nobody learns which accounts exist. */
export function accountNotFound(): FerryError {
  return new FerryError("NOT_FOUND", "account_id: there is no such account");
}

/** Reads accounts by id; concurrent callers share one query. */
export function createGetAccounts({ db, store }: { db: Queryable; store: AccountReader }) {
  const batcher: Batcher<readonly AccountId[], Found> = createBatcher({
    maxSize: MAX_CALLERS,
    async run(inputs) {
      const found = await store.findAccounts(db, [...new Set(inputs.flat())]);
      return inputs.map(() => found);
    },
  });
  return {
    /** Members' accounts among these; others are left out. */
    async findAccounts(ids: readonly AccountId[]): Promise<Map<AccountId, AccountRecord>> {
      if (ids.length === 0) return new Map();
      const found = await batcher.add(ids);
      const known = new Map<AccountId, AccountRecord>();
      for (const id of ids) {
        const account = found.get(id);
        if (account?.kind === "member") known.set(id, account);
      }
      return known;
    },

    /** @throws FerryError NOT_FOUND when there is no such account, or it is not the member's. */
    async getAccount(id: AccountId, memberId: string): Promise<AccountRecord> {
      const account = (await batcher.add([id])).get(id);
      if (account?.ownerId !== memberId) throw accountNotFound();
      return account;
    },
  };
}
