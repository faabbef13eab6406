import { mkdtempSync, rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "@ferry/platform/db";
import { outboxMigrations } from "@ferry/platform/outbox";
import { twoPhaseMigrations } from "@ferry/platform/two-phase";
import { startPostgres } from "../../../local/postgres/server.ts";
import { ledgerMigrations } from "../../../services/ledger/store/migrations.ts";
import type { ShardUrls } from "../../../services/ledger/testing/sharded.ts";

export interface Clusters {
  /** Databases for a ledger over so many shards: the first and the coordinator's log on one server, the second on another. */
  databases(name: string, shards: 1 | 2): Promise<ShardUrls>;
  stop(): Promise<void>;
}

const DATABASES = ["one_home", "one_0", "two_home", "two_0", "two_1", "clear_home", "clear_0", "clear_1"];

/** Two PostgreSQL servers with real syncs, as shards on clusters of their own have. */
export async function startClusters(): Promise<Clusters> {
  const directory = mkdtempSync(join(tmpdir(), "ferry-bench-shards-"));
  await chmod(directory, 0o755);
  const start = (name: string) =>
    startPostgres({ directory: join(directory, name), port: 0, durable: true, databases: DATABASES });
  const servers = [await start("first"), await start("second")] as const;
  return {
    async databases(name, shards) {
      const home = servers[0].url(`${name}_home`);
      const urls = Array.from({ length: shards }, (_, index) => servers[index]!.url(`${name}_${index}`));
      await migrate(home, [ledgerMigrations, twoPhaseMigrations]);
      for (const url of urls) await migrate(url, [outboxMigrations, ledgerMigrations]);
      return { home, shards: urls };
    },
    async stop() {
      for (const server of servers) {
        await server.stop();
        rmSync(server.home, { recursive: true, force: true });
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
