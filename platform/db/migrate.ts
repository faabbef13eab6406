import { runner } from "node-pg-migrate";
import pg from "pg";

/** A folder of SQL migrations, 0001_name.sql and on, that keeps count in a table of its own. */
export interface Migrations {
  /** Names the table that keeps count: "migrations_" and this. */
  name: string;
  /** Absolute path. */
  directory: string;
}

/**
 * Brings a database up to the newest migration of each folder, in the order given.
 *
 * Safe to run from several processes at once: the others wait for the first.
 */
export async function migrate(url: string, folders: readonly Migrations[]): Promise<void> {
  for (const { name, directory } of folders)
    await runner({
      databaseUrl: url,
      dir: directory,
      direction: "up",
      migrationsTable: `migrations_${name}`,
      advisoryLockMode: "wait",
      singleTransaction: true,
      log: () => {},
    });
}

/** Creates a database of that name on the server that the address of another of its databases leads to. */
export async function createDatabaseIfMissing(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client(adminUrl);
  await client.connect();
  try {
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
