import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type Postgres, startPostgres } from "../../local/postgres/server.ts";
import { compileCacheDirectory } from "../../local/up/compile-cache.ts";

let server: Postgres | undefined;
let directory: string | undefined;

/**
 * Starts one throw-away PostgreSQL for a whole run, and tells the test processes where it is:
 * they inherit the environment. A server named by FERRY_TEST_DATABASE_URL is used instead;
 * whatever the run makes there carries the run's name, and goes at its end.
 *
 * Modules are compiled once: hundreds of processes load the same ones, and need no compiler when another had it.
 */
export async function globalSetup(): Promise<void> {
  process.env.NODE_COMPILE_CACHE ??= compileCacheDirectory;
  process.env.FERRY_TEST_RUN = randomBytes(4).toString("hex");
  if (process.env.FERRY_TEST_DATABASE_URL) return dropDatabasesOfRun(); // None yet: this fails early when nothing answers.
  directory = await mkdtemp(join(tmpdir(), "ferry-test-"));
  server = await startPostgres({ directory, port: 0, durable: false });
  process.env.FERRY_TEST_DATABASE_URL = server.url("postgres");
}

export async function globalTeardown(): Promise<void> {
  if (server === undefined) return dropDatabasesOfRun();
  await server.stop();
  await rm(server.home, { recursive: true, force: true });
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}

async function dropDatabasesOfRun(): Promise<void> {
  const admin = new pg.Client({ connectionString: process.env.FERRY_TEST_DATABASE_URL });
  await admin.connect();
  const prefix = `ferry_${process.env.FERRY_TEST_RUN}_`;
  const found = await admin.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
    [prefix],
  );
  for (const { datname } of found.rows) await admin.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
  await admin.end();
}
