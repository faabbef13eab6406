import { type Database, migrate, newUuid, openDatabase, type PreparableDatabase } from "@ferry/platform/db";
import type { Bus } from "@ferry/platform/events";
import { type Component, whenAvailable } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import type { Logger } from "@ferry/platform/telemetry";
import { type Coordinator, createCoordinator } from "@ferry/platform/two-phase";
import { createCarryOut } from "./app/carry-out.ts";
import { placeShards, type ShardOf } from "./app/place-shards.ts";
import { unplaced } from "./app/spread-accounts.ts";
import type { RunOverTwo, Shard } from "./app/spread-commands.ts";
import { createAccountStore } from "./store/account-store.ts";
import { createCommandStore } from "./store/command-store.ts";
import { ledgerMigrations } from "./store/migrations.ts";
import { createShardStore } from "./store/shard-store.ts";

export interface ShardingConfig {
  /** Databases that the accounts are spread over, in a fixed order. */
  shards: readonly string[];
  crossShard: "two-phase" | "clearing";
  sharedCluster: "allow" | "refuse";
  databaseConnections: number;
}

interface Options {
  config: ShardingConfig;
  /** The service's own database: it holds the coordinator's log. */
  database: Database;
  bus: Bus;
  logger: Logger;
}

export interface OpenShards {
  shards: readonly Shard[];
  shardOf: ShardOf;
  coordinator: (Coordinator & Component) | undefined;
  runOverTwo: RunOverTwo | undefined;
  onBusy(): void;
  /** In the order in which they start. */
  components: readonly Component[];
}

/** Who waits for a row that a prepared transaction has gives up after so long, and tries again. */
const LOCK_TIMEOUT_MS = 1_500;

export const shardName = (position: number): string => `shard-${position}`;

/** Opens a ledger's databases: each with its own outbox, and a coordinator over them when transactions are to span two. */
export function openShards({ config, database, bus, logger }: Options): OpenShards {
  const { shards: urls, crossShard, databaseConnections: maxConnections } = config;
  const opened = urls.map((url, position) => {
    const name = `ledger-${shardName(position)}`;
    const own = openDatabase({ url, maxConnections, name, lockTimeoutMs: LOCK_TIMEOUT_MS });
    const outbox = createOutbox({ database: own, bus, source: "ferry/ledger", logger });
    return { url, own, outbox: { ...outbox, name: `outbox-${position}` } };
  });
  const participants = opened.map(({ own }, position) => ({ name: shardName(position), database: own }));
  const coordinator =
    crossShard === "two-phase" ? createCoordinator({ name: "ledger", log: database, participants, logger }) : undefined;

  let placed: ShardOf | undefined;
  const places: Component = {
    name: "shards",
    async start() {
      for (const { url } of opened)
        await whenAvailable(logger, "shard", () => migrate(url, [outboxMigrations, ledgerMigrations]));
      if (coordinator !== undefined)
        await refuseSharedCluster(
          config,
          database,
          opened.map(({ own }) => own),
          logger,
        );
      const shards = opened.map(({ own }) => own);
      placed = await placeShards({ shards, store: createShardStore(), newLedgerId: newUuid });
    },
    async stop() {
      for (const { own } of opened) await own.close();
    },
    unready: () => (placed === undefined ? "the databases have not been looked at yet" : undefined),
  };
  return {
    shards: opened.map(({ own, outbox }, position) => toShard(position, own, outbox)),
    shardOf: (accountId) => (placed ?? unplaced)(accountId),
    coordinator,
    runOverTwo: coordinator && overTwo(coordinator),
    onBusy: () => coordinator?.lookSoon(),
    components: [places, ...opened.map(({ outbox }) => outbox), ...(coordinator === undefined ? [] : [coordinator])],
  };
}

function toShard(position: number, database: PreparableDatabase, outbox: Shard["outbox"]): Shard {
  const commandStore = createCommandStore();
  const { findAccounts, findFree } = createAccountStore();
  const carryOut = createCarryOut({ store: commandStore });
  return { position, database, outbox, carryOut, store: { ...commandStore, findAccounts, findFree } };
}

function overTwo(coordinator: Coordinator): RunOverTwo {
  return (positions, work) =>
    coordinator.run(positions.map(shardName), (transactions) =>
      work(new Map(positions.map((position) => [position, transactions.get(shardName(position))!]))),
    );
}

/**
 * A transaction that stays prepared holds up the outboxes of every database on its server: no snapshot's
 * oldest transaction is younger than it. So two-phase shards do not share one with other services.
 */
async function refuseSharedCluster(
  { sharedCluster }: ShardingConfig,
  home: Database,
  shards: readonly Database[],
  logger: Logger,
): Promise<void> {
  const { findCluster } = createShardStore();
  const [own, ...others] = await Promise.all([home, ...shards].map((db) => findCluster(db)));
  const position = others.indexOf(own!);
  if (position < 0) return;
  const message = `${shardName(position)} lies on the PostgreSQL server of DATABASE_URL: a transaction that stays prepared there holds up the outboxes of all its databases`;
  if (sharedCluster === "refuse") throw new Error(`${message}; give the shards a server of their own`);
  logger.warn({ shard: position }, message);
}
