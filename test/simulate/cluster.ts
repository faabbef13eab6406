import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditMigrations } from "@ferry/platform/audit";
import { migrate } from "@ferry/platform/db";
import { outboxMigrations } from "@ferry/platform/outbox";
import pg from "pg";
import { type Postgres, startPostgres } from "../../local/postgres/server.ts";
import * as banking from "../../services/banking/service.ts";
import { ledgerAuditMigrations } from "../../services/ledger/audit/audit.ts";
import { ledgerMigrations } from "../../services/ledger/store/migrations.ts";
import { paymentAuditMigrations } from "../../services/payment/audit/audit.ts";
import * as payment from "../../services/payment/service.ts";
import { transferAuditMigrations } from "../../services/transfer/audit/audit.ts";
import * as transfer from "../../services/transfer/service.ts";
import type { Overseer } from "./database-gate.ts";

/** The services with a database, and what brings it to its present form. */
const MIGRATIONS = {
  transfer: [...transfer.migrations, ...transferAuditMigrations],
  payment: [...payment.migrations, ...paymentAuditMigrations],
  banking: [...banking.migrations, auditMigrations],
  ledger: [ledgerMigrations, ...ledgerAuditMigrations],
};

export type Stored = keyof typeof MIGRATIONS;
export const STORED = Object.keys(MIGRATIONS) as Stored[];

/**
 * SQL asks PostgreSQL for the time, under these names. Here they give the world's, which comes with each
 * statement; without one, as when a template is made, the machine's.
 */
const CLOCK = ["now", "statement_timestamp", "transaction_timestamp", "clock_timestamp"]
  .map(
    (name) => `CREATE FUNCTION world.${name}() RETURNS timestamptz LANGUAGE sql STABLE AS $$
      SELECT coalesce(to_timestamp(nullif(current_setting('world.now_ms', true), '')::float8 / 1000), pg_catalog.now()) $$;`,
  )
  .join("\n");

/** The databases of one world, new and migrated. */
export interface WorldDatabases {
  url(service: Stored): string;
  /** Asks directly, past the gate: for those who watch. Numbers of 64 bits and sums come as bigint. */
  query<Row>(service: Stored, text: string): Promise<Row[]>;
  drop(): Promise<void>;
}

/** A PostgreSQL of its own for worlds, one after the other. */
export interface WorldCluster {
  overseer: Overseer;
  newDatabases(name: string): Promise<WorldDatabases>;
  stop(): Promise<void>;
}

const types = {
  getTypeParser: (id: number, format?: "text" | "binary") =>
    id === pg.types.builtins.INT8 || id === pg.types.builtins.NUMERIC
      ? (text: string) => BigInt(text)
      : pg.types.getTypeParser(id, format as "text"),
};

/** As it is before a gate is put in its place: who watches goes past it. */
const { Client } = pg;

async function connect(url: string): Promise<pg.Client> {
  const client = new Client({ connectionString: url, types });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function makeTemplate(server: Postgres, admin: pg.Client, service: Stored): Promise<void> {
  const name = `template_${service}`;
  await admin.query(`CREATE DATABASE ${name}`);
  const client = await connect(server.url(name));
  await client.query(`CREATE SCHEMA world; ${CLOCK}`);
  await client.end();
  await migrate(server.url(name), [outboxMigrations, ...MIGRATIONS[service]]);
}

/** Passwords are sent as they are: what SCRAM computes in other threads ends when it likes. */
async function simplify(server: Postgres, admin: pg.Client): Promise<void> {
  const file = join(server.home, "data", "pg_hba.conf");
  await writeFile(file, (await readFile(file, "utf8")).replaceAll("scram-sha-256", "password"));
  await admin.query("ALTER SYSTEM SET autovacuum = off"); // Its transactions would move the outbox's horizon.
  await admin.query("ALTER SYSTEM SET deadlock_timeout = '100ms'");
  await admin.query("ALTER ROLE CURRENT_USER SET search_path = public, world, pg_catalog");
  await admin.query("SELECT pg_reload_conf()");
}

function openDatabases(server: Postgres, admin: pg.Client, name: string): WorldDatabases {
  const clients = new Map<Stored, Promise<pg.Client>>();
  const databaseOf = (service: Stored) => `world_${name}_${service}`;
  const url = (service: Stored) => server.url(databaseOf(service));
  return {
    url,
    async query<Row>(service: Stored, text: string) {
      const client = clients.get(service) ?? connect(url(service));
      clients.set(service, client);
      return (await (await client).query(text)).rows as Row[];
    },
    async drop() {
      for (const client of clients.values()) await (await client).end();
      for (const service of STORED) await admin.query(`DROP DATABASE ${databaseOf(service)} WITH (FORCE)`);
    },
  };
}

/** Starts a PostgreSQL that is thrown away, with a template for each service. Before any world begins: it takes the machine's time. */
export async function startCluster(): Promise<WorldCluster> {
  const directory = await mkdtemp(join(tmpdir(), "ferry-simulate-"));
  const server = await startPostgres({ directory, port: 0, durable: false });
  const first = await connect(server.url("postgres"));
  await simplify(server, first);
  await first.end();
  const admin = await connect(server.url("postgres"));
  for (const service of STORED) await makeTemplate(server, admin, service);
  return {
    overseer: {
      async waitsForLock(pid) {
        const found = await admin.query("SELECT FROM pg_locks WHERE pid = $1 AND NOT granted", [pid]);
        return found.rowCount !== 0;
      },
      terminate: async (pid) => void (await admin.query("SELECT pg_terminate_backend($1)", [pid])),
    },
    async newDatabases(name) {
      const databases = openDatabases(server, admin, name);
      for (const service of STORED)
        await admin.query(`CREATE DATABASE world_${name}_${service} TEMPLATE template_${service} STRATEGY file_copy`);
      return databases;
    },
    async stop() {
      await admin.end();
      await server.stop();
      await rm(server.home, { recursive: true, force: true });
      await rm(directory, { recursive: true, force: true });
    },
  };
}
