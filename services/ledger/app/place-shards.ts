import type { Queryable } from "@ferry/platform/db";
import type { AccountId } from "../domain/account.ts";
import { BUCKETS, bucketOf, spreadBuckets } from "../domain/buckets.ts";

/** Which part of the ledger a database is, as it is written there. */
export interface ShardRecord {
  /** The same in all databases of one ledger. UUID. */
  ledgerId: string;
  /** Its place in the configuration, from 0. */
  position: number;
  /** Whose accounts lie there. */
  buckets: readonly number[];
}

/** Tells the position of the shard that an account lies in, or would lie in. */
export type ShardOf = (accountId: AccountId) => number;

interface PlacementStore {
  findShard(db: Queryable): Promise<ShardRecord | undefined>;
  /** Does nothing where there is one already. */
  insertShard(db: Queryable, record: ShardRecord): Promise<void>;
  hasAccounts(db: Queryable): Promise<boolean>;
}

interface Options {
  /** In the order of the configuration. */
  shards: readonly Queryable[];
  store: PlacementStore;
  newLedgerId(): string;
}

/**
 * Reads which database holds which accounts, and writes it down in new ones. All new: the buckets are
 * spread over them. A new one behind known ones gets none: it waits until buckets are moved to it.
 *
 * @throws Error that says what does not fit: a database of another ledger, in another place, left out,
 * or with accounts of a ledger that had one database alone.
 */
export async function placeShards({ shards, store, newLedgerId }: Options): Promise<ShardOf> {
  const before = await Promise.all(shards.map((db) => store.findShard(db)));
  const ledgerId = before.find((record) => record !== undefined)?.ledgerId ?? newLedgerId();
  const isNew = before.every((record) => record === undefined);
  const spread = spreadBuckets(shards.length);
  // In order, so that of several processes that start at once one is first everywhere.
  for (const [position, db] of shards.entries()) {
    if (before[position] !== undefined) continue;
    if (await store.hasAccounts(db))
      throw new Error(`shard ${position} has accounts, but no record of which: it was a ledger of one database`);
    await store.insertShard(db, { ledgerId, position, buckets: isNew ? spread[position]! : [] });
  }
  const records = await Promise.all(shards.map((db) => store.findShard(db)));
  return ownersOf(records as ShardRecord[]);
}

function ownersOf(records: readonly ShardRecord[]): ShardOf {
  const owners = new Map<number, number>();
  for (const [index, { ledgerId, position, buckets }] of records.entries()) {
    if (ledgerId !== records[0]?.ledgerId) throw new Error(`shard ${index} belongs to another ledger than shard 0`);
    if (position !== index)
      throw new Error(`shard ${index} is written down as shard ${position}: the order has changed`);
    for (const bucket of buckets) {
      const other = owners.get(bucket);
      if (other !== undefined) throw new Error(`bucket ${bucket} lies in shard ${other} and in shard ${index}`);
      owners.set(bucket, index);
    }
  }
  const missing = Array.from({ length: BUCKETS }, (_, bucket) => bucket).filter((bucket) => !owners.has(bucket));
  if (missing.length > 0)
    throw new Error(
      `${missing.length} of ${BUCKETS} buckets lie in no shard, as ${missing[0]}: a database is left out`,
    );
  const byBucket = Array.from({ length: BUCKETS }, (_, bucket) => owners.get(bucket)!);
  return (accountId) => byBucket[bucketOf(accountId)]!;
}
