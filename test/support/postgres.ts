import { randomBytes } from "node:crypto";
import pg from "pg";

export interface Migration {
  /** Names the template: the same name is migrated once in a run. Lower-case letters, digits and underscores. */
  name: string;
  /** Brings an empty database to its present form, and closes every connection that it opened. */
  run(url: string): Promise<void>;
}

export interface TestDatabase {
  url: string;
  /** Ends all sessions on the database and removes it. */
  drop(): Promise<void>;
}

function getRun(): { adminUrl: string; prefix: string } {
  const adminUrl = process.env.FERRY_TEST_DATABASE_URL;
  if (!adminUrl) throw new Error("There is no PostgreSQL for tests: run them with `npm run test:one -- <files>`");
  return { adminUrl, prefix: `ferry_${process.env.FERRY_TEST_RUN ?? "run"}_` };
}

async function asAdmin<Result>(work: (admin: pg.Client) => Promise<Result>): Promise<Result> {
  const admin = new pg.Client({ connectionString: getRun().adminUrl });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(getRun().adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/**
 * Makes the template on its first use, and returns its name. Test files run side by side, so an
 * advisory lock lets one of them make it while the others wait; it gets its name only when it is
 * whole, so that a migration that failed is run anew by the next one.
 */
async function ensureTemplate(admin: pg.Client, migration: Migration): Promise<string> {
  if (!/^[a-z][a-z0-9_]{0,30}$/.test(migration.name)) throw new Error(`"${migration.name}" cannot name a template`);
  const template = `${getRun().prefix}template_${migration.name}`;
  await admin.query("SELECT pg_advisory_lock(hashtextextended($1, 0))", [template]);
  const found = await admin.query("SELECT 1 FROM pg_database WHERE datname = $1", [template]);
  if (found.rowCount === 0) {
    const unfinished = `${template}_unfinished`;
    await admin.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${unfinished}`);
    await migration.run(urlOf(unfinished));
    await admin.query(`ALTER DATABASE ${unfinished} RENAME TO ${template}`);
  }
  await admin.query("SELECT pg_advisory_unlock(hashtextextended($1, 0))", [template]);
  return template;
}

/**
 * Removes a database. What a test that failed left prepared there would keep it, and hold up the outboxes of all
 * tests beside it: it is rolled back, which only a session of that database can do.
 */
async function dropDatabase(name: string): Promise<void> {
  await asAdmin(async (admin) => {
    const left = await admin.query<{ gid: string }>("SELECT gid FROM pg_prepared_xacts WHERE database = $1", [name]);
    if (left.rows.length > 0) {
      await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      const own = new pg.Client({ connectionString: urlOf(name) });
      await own.connect();
      // One that somebody has ended meanwhile is not there; whether any is left, DROP says.
      for (const { gid } of left.rows) await own.query(`ROLLBACK PREPARED ${own.escapeLiteral(gid)}`).catch(() => {});
      await own.end();
    }
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
}

/**
 * Makes a fresh database for the test file that calls, empty or copied from a migrated template.
 * Close every pool on it before `drop()`, which belongs into the file's `after`.
 *
 * @throws when the tests were started without the global set-up (see scripts/test.ts).
 */
export async function createTestDatabase(migrate?: Migration): Promise<TestDatabase> {
  const name = `${getRun().prefix}${randomBytes(6).toString("hex")}`;
  await asAdmin(async (admin) => {
    const template = migrate === undefined ? "template1" : await ensureTemplate(admin, migrate);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  return {
    url: urlOf(name),
    drop: () => dropDatabase(name),
  };
}
