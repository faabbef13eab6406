import { mkdtemp, readFile, rm, statfs, writeFile } from "node:fs/promises";
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

/** A cluster takes some 200 MB; the rest is for its neighbors. */
const ROOM_BYTES = 4 * 2 ** 30;
const MEMORY = "/dev/shm";
/** Linux' number for a file system that lies in memory. */
const TMPFS = 0x01021994;

export type Stored = keyof typeof MIGRATIONS;
export const STORED = Object.keys(MIGRATIONS) as Stored[];

/**
 * SQL asks PostgreSQL for the time, under these names. Here they give the world's, which comes with each
 * statement; without one, as when a database is made, the machine's.
 */
const CLOCK = ["now", "statement_timestamp", "transaction_timestamp", "clock_timestamp"]
  .map(
    (name) => `CREATE FUNCTION world.${name}() RETURNS timestamptz LANGUAGE sql STABLE AS $$
      SELECT coalesce(to_timestamp(nullif(current_setting('world.now_ms', true), '')::float8 / 1000), pg_catalog.now()) $$;`,
  )
  .join("\n");

/** The databases of one world, migrated, and otherwise as if they were new. */
export interface WorldDatabases {
  url(service: Stored): string;
  /** Asks directly, past the gate: for those who watch. Numbers of 64 bits and sums come as bigint. */
  query<Row>(service: Stored, text: string): Promise<Row[]>;
}

/** A PostgreSQL of its own for worlds, one after the other. */
export interface WorldCluster {
  overseer: Overseer;
  /** Those of the next world: the one before must be over. */
  newDatabases(): Promise<WorldDatabases>;
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

/** A database that stays, while what is in it is each world's own. */
interface Kept {
  client: pg.Client;
  /** Ends whoever still works there, and puts back what the migrations left. */
  renew(): Promise<void>;
}

/** Worlds write to all tables but those in which the migrations keep their own records. */
const TABLES = `SELECT tablename AS name FROM pg_tables
  WHERE schemaname = 'public' AND tablename NOT LIKE 'migrations\\_%' ORDER BY tablename`;
const DRAWN = `SELECT FROM pg_sequences
  WHERE schemaname = 'public' AND sequencename NOT LIKE 'migrations\\_%' AND last_value IS NOT NULL`;
const END_OTHERS = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

async function makeDatabase(server: Postgres, admin: pg.Client, service: Stored): Promise<Kept> {
  await admin.query(`CREATE DATABASE ${service}`);
  const client = await connect(server.url(service));
  await client.query(`CREATE SCHEMA world; ${CLOCK}`);
  await migrate(server.url(service), [outboxMigrations, ...MIGRATIONS[service]]);
  const { rowCount: drawn } = await client.query(DRAWN);
  if (drawn !== 0) throw new Error(`a migration of ${service} draws from a sequence: worlds would begin it anew`);
  const tables = (await client.query<{ name: string }>(TABLES)).rows;
  const putBack: string[] = [];
  for (const { name } of tables) {
    const copied = await client.query(`CREATE TABLE world.${name} AS TABLE public.${name}`);
    if (copied.rowCount === 0) await client.query(`DROP TABLE world.${name}`);
    else putBack.push(`INSERT INTO public.${name} OVERRIDING SYSTEM VALUE TABLE world.${name}`);
  }
  const empty = `TRUNCATE ${tables.map(({ name }) => `public.${name}`).join(", ")} RESTART IDENTITY`;
  return {
    client,
    async renew() {
      await client.query([END_OTHERS, empty, ...putBack].join("; "));
      await client.query("VACUUM pg_class"); // It has new rows for whatever was emptied, and nobody else vacuums.
    },
  };
}

/**
 * Passwords are sent as they are: what SCRAM computes in other threads ends when it likes. PostgreSQL still computes
 * it to compare: once, not 4,096 times for each connection.
 */
async function simplify(server: Postgres, admin: pg.Client): Promise<void> {
  const file = join(server.home, "data", "pg_hba.conf");
  await writeFile(file, (await readFile(file, "utf8")).replaceAll("scram-sha-256", "password"));
  const { password } = new URL(server.url("postgres"));
  await admin.query(`SET scram_iterations = 1; ALTER ROLE CURRENT_USER PASSWORD '${password}'`);
  await admin.query("ALTER SYSTEM SET autovacuum = off"); // Its transactions would move the outbox's horizon.
  await admin.query("ALTER SYSTEM SET deadlock_timeout = '100ms'");
  await admin.query("ALTER ROLE CURRENT_USER SET search_path = public, world, pg_catalog");
  await admin.query("SELECT pg_reload_conf()");
}

/** In memory, where that is possible: what is thrown away need not be written to a disk, and files begin and end faster there. */
async function makeDirectory(): Promise<string> {
  const make = (place: string) => mkdtemp(join(place, "ferry-simulate-"));
  const found = await statfs(MEMORY).catch(() => undefined);
  const room = found?.type === TMPFS ? Math.min(found.bavail * found.bsize, process.availableMemory()) : 0;
  return room < ROOM_BYTES ? make(tmpdir()) : make(MEMORY).catch(() => make(tmpdir()));
}

/** Starts a PostgreSQL that is thrown away, with a database for each service. Before any world begins: it takes the machine's time. */
export async function startCluster(): Promise<WorldCluster> {
  const directory = await makeDirectory();
  const server = await startPostgres({ directory, port: 0, durable: false });
  const first = await connect(server.url("postgres"));
  await simplify(server, first);
  await first.end();
  const admin = await connect(server.url("postgres"));
  const kept = new Map<Stored, Kept>();
  for (const service of STORED) kept.set(service, await makeDatabase(server, admin, service));
  const databases: WorldDatabases = {
    url: (service) => server.url(service),
    query: async <Row>(service: Stored, text: string) => (await kept.get(service)!.client.query(text)).rows as Row[],
  };
  return {
    overseer: {
      async waitsForLock(pid) {
        const found = await admin.query("SELECT FROM pg_locks WHERE pid = $1 AND NOT granted", [pid]);
        return found.rowCount !== 0;
      },
      terminate: async (pid) => void (await admin.query("SELECT pg_terminate_backend($1)", [pid])),
    },
    async newDatabases() {
      for (const { renew } of kept.values()) await renew();
      await admin.query("CHECKPOINT"); // Lets go of the files of what was emptied, and of the log so far.
      return databases;
    },
    async stop() {
      for (const { client } of kept.values()) await client.end();
      await admin.end();
      await server.stop();
      await rm(server.home, { recursive: true, force: true });
      await rm(directory, { recursive: true, force: true });
    },
  };
}
