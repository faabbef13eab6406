import type { Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import type { AccountId } from "../domain/account.ts";
import type { createCloseAccount } from "./close-account.ts";
import type { FreezeAccounts } from "./freeze-accounts.ts";
import type { ShardOf } from "./place-shards.ts";
import type { AccountRecord, EntryRecord } from "./records.ts";

interface AccountReader {
  insertAccount(db: Queryable, id: AccountId, ownerId: string, currency: string): Promise<AccountRecord>;
  findAccounts(db: Queryable, ids: readonly AccountId[]): Promise<Map<AccountId, AccountRecord>>;
  listAccounts(db: Queryable, ownerId: string, afterId: AccountId, limit: number): Promise<AccountRecord[]>;
  listEntries(db: Queryable, accountId: AccountId, before: bigint, limit: number): Promise<EntryRecord[]>;
}

interface Options {
  shards: readonly Queryable[];
  shardOf: ShardOf;
  store: AccountReader;
}

/**
 * The same reads as of one database, over all shards: what is asked of an account is asked where it lies,
 * a member's list is merged from all. The database that a reader names is not looked at.
 */
export function spreadAccountStore({ shards, shardOf, store }: Options): AccountReader {
  const homeOf = (id: AccountId): Queryable => shards[shardOf(id)]!;
  return {
    insertAccount: (_, id, ownerId, currency) => store.insertAccount(homeOf(id), id, ownerId, currency),
    listEntries: (_, accountId, before, limit) => store.listEntries(homeOf(accountId), accountId, before, limit),

    async findAccounts(_, ids) {
      const found = await Promise.all(
        [...Map.groupBy(ids, shardOf)].map(([position, own]) => store.findAccounts(shards[position]!, own)),
      );
      return new Map(found.flatMap((accounts) => [...accounts]));
    },

    async listAccounts(_, ownerId, afterId, limit) {
      const lists = await Promise.all(shards.map((db) => store.listAccounts(db, ownerId, afterId, limit)));
      return lists
        .flat()
        .sort((one, other) => (one.id < other.id ? -1 : 1))
        .slice(0, limit);
    },
  };
}

type ChangesOfState = FreezeAccounts & { closeAccount: ReturnType<typeof createCloseAccount> };

/** Changes of accounts' states, each in the shard where the account lies; those of several go shard by shard. */
export function spreadStateChanges(shards: readonly ChangesOfState[], shardOf: ShardOf): ChangesOfState {
  const homeOf = (id: AccountId): ChangesOfState => shards[shardOf(id)]!;
  const each = async (
    ids: readonly AccountId[],
    run: (shard: ChangesOfState, own: AccountId[]) => Promise<AccountId[]>,
  ) => (await Promise.all([...Map.groupBy(ids, shardOf)].map(([position, own]) => run(shards[position]!, own)))).flat();
  return {
    closeAccount: (id, memberId) => homeOf(id).closeAccount(id, memberId),
    freezeAccount: (id, order) => homeOf(id).freezeAccount(id, order),
    unfreezeAccount: (id, order) => homeOf(id).unfreezeAccount(id, order),
    freezeAccounts: (ids, order) => each(ids, (shard, own) => shard.freezeAccounts(own, order)),
    unfreezeAccounts: (ids, order) => each(ids, (shard, own) => shard.unfreezeAccounts(own, order)),
  };
}

/** Before the shards have been looked at, nobody knows where an account lies. */
export function unplaced(): never {
  throw new FerryError("UNAVAILABLE", "the ledger's databases have not been looked at yet");
}
