import type { Queryable } from "@ferry/platform/db";
import type { ShardRecord } from "../app/place-shards.ts";
import { FIND_ANY_ACCOUNT, FIND_CLUSTER, FIND_SHARD, INSERT_SHARD } from "./shard-statements.ts";

interface ShardRow {
  ledger_id: string;
  position: number;
  buckets: number[];
}

/** Which part of the ledger a database is, as it is written there. */
export function createShardStore() {
  return {
    async findShard(db: Queryable): Promise<ShardRecord | undefined> {
      const [row] = await db.query<ShardRow>(FIND_SHARD);
      return row && { ledgerId: row.ledger_id, position: row.position, buckets: row.buckets };
    },

    async insertShard(db: Queryable, { ledgerId, position, buckets }: ShardRecord): Promise<void> {
      await db.query(INSERT_SHARD, [ledgerId, position, buckets]);
    },

    async hasAccounts(db: Queryable): Promise<boolean> {
      return (await db.query(FIND_ANY_ACCOUNT)).length > 0;
    },

    /** Names the server: the same for all databases of one cluster. */
    async findCluster(db: Queryable): Promise<string> {
      const [row] = await db.query<{ cluster: string }>(FIND_CLUSTER);
      return row!.cluster;
    },
  };
}
