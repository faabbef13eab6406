import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { createTestDatabase } from "./postgres.ts";

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("a template is migrated once, and each copy of it is apart from the others", async () => {
  let migrations = 0;
  const migrate = {
    name: "support_test",
    run: async (url: string) => {
      migrations += 1;
      await query(url, "CREATE TABLE thing (id int PRIMARY KEY)");
    },
  };
  const databases = await Promise.all([1, 2, 3].map(() => createTestDatabase(migrate)));
  assert.equal(migrations, 1);
  await query(databases[0]!.url, "INSERT INTO thing VALUES (1)");
  assert.deepEqual(await query(databases[1]!.url, "SELECT id FROM thing"), []);
  assert.deepEqual(await query(databases[0]!.url, "SELECT id FROM thing"), [{ id: 1 }]);
  await Promise.all(databases.map((database) => database.drop()));
  await assert.rejects(query(databases[0]!.url, "SELECT 1"), /does not exist/);
});

test("a migration that failed is not taken for a template", async () => {
  const failing = { name: "support_failing", run: async () => Promise.reject(new Error("bad migration")) };
  await assert.rejects(createTestDatabase(failing), /bad migration/);
  const mended = { name: "support_failing", run: (url: string) => query(url, "CREATE TABLE mended ()").then(() => {}) };
  const database = await createTestDatabase(mended);
  assert.deepEqual(await query(database.url, "SELECT * FROM mended"), []);
  await database.drop();
});

test("a database goes together with what was left prepared there, also when it takes no sessions any more", async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  await query(database.url, `BEGIN; CREATE TABLE thing (); PREPARE TRANSACTION 'left:${name}'`);
  await query(process.env.FERRY_TEST_DATABASE_URL!, `ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
  await database.drop();
  await assert.rejects(query(database.url, "SELECT 1"), /does not exist/);
});
