import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Database, migrate, newUuid, openDatabase, type PreparableDatabase } from "@ferry/platform/db";
import { type Bus, createMemoryBus } from "@ferry/platform/events";
import { outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { twoPhaseMigrations } from "@ferry/platform/two-phase";
import { PATIENT } from "../../../test/support/patient.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { createAnswerSpread } from "../app/answer-commands.ts";
import { createSpreadCommands } from "../app/spread-commands.ts";
import { createCommandsConsumer } from "../consumers/commands.ts";
import type { Command } from "../domain/commands.ts";
import { openShards, type ShardingConfig } from "../shards.ts";
import { createAccountStore } from "../store/account-store.ts";
import { ledgerMigrations } from "../store/migrations.ts";

export type Mode = ShardingConfig["crossShard"];

export interface ShardUrls {
  home: string;
  shards: string[];
}

/** For tests: a home database for the coordinator's log, and databases for shards. */
export async function createShardDatabases(count: number): Promise<ShardUrls & { drop(): Promise<void> }> {
  const homeTemplate = {
    name: "ledger_home",
    run: (url: string) => migrate(url, [ledgerMigrations, twoPhaseMigrations]),
  };
  const shardTemplate = {
    name: "ledger_shard",
    run: (url: string) => migrate(url, [outboxMigrations, ledgerMigrations]),
  };
  const home = await createTestDatabase(homeTemplate);
  const shards = await Promise.all(Array.from({ length: count }, () => createTestDatabase(shardTemplate)));
  return {
    home: home.url,
    shards: shards.map(({ url }) => url),
    async drop() {
      for (const made of [home, ...shards]) await made.drop();
    },
  };
}

/** For tests: a ledger over shards that runs in this process, without its rpcs. */
export async function runSharded({ home, shards: urls }: ShardUrls, mode: Mode, bus: Bus) {
  const database = openDatabase({ url: home, ...PATIENT });
  const config = { shards: urls, crossShard: mode, sharedCluster: "allow", databaseConnections: 6 } as const;
  const opened = openShards({ config, database, bus, logger });
  const { shards, shardOf, coordinator } = opened;
  const databases = shards.map((shard) => shard.database);
  letConnect(databases as PreparableDatabase[]);
  const commands = createSpreadCommands(opened);
  const answer = createAnswerSpread(commands.carryOut);
  const consumer = createCommandsConsumer({ bus, takesHandOvers: true, answer });
  const parts = [...opened.components, consumer];
  for (const part of parts) await part.start?.();
  const store = createAccountStore();
  return {
    ...{ databases, shards, shardOf, coordinator, store },
    /** Carries out one set, and tells the refusals. */
    async send(...set: Command[]) {
      return (await commands.carryOut(set, (command) => command)).map(({ refusal }) => refusal);
    },
    /** Opens an account where it belongs. */
    open: (id: string, ownerId: string) => store.insertAccount(databases[shardOf(id)]!, id, ownerId, "EUR"),
    async find(id: string) {
      const account = (await store.findAccounts(databases[shardOf(id)]!, [id])).get(id);
      assert.ok(account);
      return account;
    },
    async stop() {
      for (const part of parts.toReversed()) await part.stop?.();
      await database.close();
    },
  };
}

/** For tests: an id of an account that lies in a given shard. */
export function idIn({ shardOf }: Pick<TestShards, "shardOf">, position: number): string {
  let id = newUuid();
  while (shardOf(id) !== position) id = newUuid();
  return id;
}

/** For tests: the same on databases and a bus of its own, which end with it. */
export async function startSharded(count: number, mode: Mode) {
  const databases = await createShardDatabases(count);
  const bus = createMemoryBus();
  const ledger = await runSharded(databases, mode, bus);
  return {
    ...{ ...ledger, bus },
    async end() {
      await ledger.stop();
      await bus.close();
      await databases.drop();
    },
  };
}

export type TestShards = Awaited<ReturnType<typeof startSharded>>;

/** Nobody is refused for want of a connection: the shards' pools have 2 s for one, and a machine may stand still for longer. */
function letConnect(databases: readonly PreparableDatabase[]): void {
  for (const database of databases) {
    const { query, transaction, begin } = database;
    database.query = <Row>(text: string, values?: readonly unknown[]) => onceConnected(() => query<Row>(text, values));
    database.transaction = (run) => onceConnected(() => transaction(run));
    database.begin = () => onceConnected(begin);
  }
}

/**
 * For tests of what is carried out side by side: locks are waited for as long as a transaction may take, 5 s, rather
 * than 1.5. A machine that stands still meanwhile is no failure then; transactions that wait for each other over two
 * databases still are: they never end otherwise.
 */
export function letWait({ databases }: Pick<TestShards, "databases">): void {
  for (const database of databases as PreparableDatabase[]) {
    const { transaction, begin } = database;
    const wait = "SET LOCAL lock_timeout = 0";
    database.transaction = (run) => transaction((tx, count) => tx.query(wait).then(() => run(tx, count)));
    database.begin = async () => {
      const open = await begin();
      await open.tx.query(wait);
      return open;
    };
  }
}

/** For tests: again while a pool had no connection in time. Nothing has begun then, or comes to anything. */
export async function onceConnected<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 20_000; ; )
    try {
      return await work();
    } catch (error) {
      const isFull = /timeout exceeded when trying to connect/.test(String(error));
      if (!isFull || Date.now() > deadline) throw error;
    }
}

export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 15_000; !(await holds()); await delay(5)) assert.ok(Date.now() < deadline, what);
}

/** Waits until every hand-over has arrived. */
export const atRest = ({ databases }: Pick<TestShards, "databases">) =>
  eventually("all hand-overs have arrived", async () => (await underWay(databases)) === 0n);

/** What is under way between shards, by the books: zero at rest. */
export async function underWay(databases: readonly Database[]): Promise<bigint> {
  const sums = await Promise.all(
    databases.map((db) =>
      db.query<{ sum: string }>("SELECT coalesce(sum(balance), 0)::text AS sum FROM account WHERE kind = 'transit'"),
    ),
  );
  return sums.reduce((total, [row]) => total + BigInt(row!.sum), 0n);
}

interface Sum {
  reference: string;
  sum: string;
}

/**
 * Asserts what must hold over all shards at rest, by SQL of its own: the postings of each reference and
 * of all sum to zero, balances are their postings, held is what open holds hold, nothing is under way.
 */
export async function assertShardsHold(databases: readonly Database[]): Promise<void> {
  const sums = new Map<string, bigint>();
  for (const db of databases) {
    const rows = await db.query<Sum>("SELECT reference, sum(amount)::text AS sum FROM entry GROUP BY reference");
    for (const { reference, sum } of rows) sums.set(reference, (sums.get(reference) ?? 0n) + BigInt(sum));
    const wrong = await db.query(`
      SELECT account.id::text, balance::text FROM account
      WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM entry WHERE account_id = account.id)
      UNION ALL
      SELECT account.id::text, held::text FROM account
      WHERE held <> (SELECT coalesce(sum(amount), 0) FROM hold WHERE account_id = account.id AND hold.state = 'held')
      UNION ALL
      SELECT gid, 'prepared' FROM pg_prepared_xacts WHERE database = current_database()`);
    assert.deepEqual(wrong, []);
  }
  assert.deepEqual(
    [...sums].filter(([, sum]) => sum !== 0n),
    [],
  );
  assert.equal(await underWay(databases), 0n);
}
