import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "@ferry/platform/db";
import { PATIENT } from "./patient.ts";
import { assertIndexed, statementsOf } from "./plans.ts";
import { createTestDatabase } from "./postgres.ts";

test("whole reads are noticed, by themselves, along an index, and in a transaction; others are not", async (t) => {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase({ url, ...PATIENT });
  t.after(async () => {
    await database.close();
    await drop();
  });
  await database.query("CREATE TABLE thing (id uuid PRIMARY KEY, name text UNIQUE, color text, at timestamptz)");
  await database.query("CREATE INDEX thing_red ON thing (at) WHERE color = 'red'");
  await database.query("CREATE TABLE few (one boolean PRIMARY KEY)");
  await database.query(
    "INSERT INTO thing VALUES (gen_random_uuid(), 'a', 'red', now()), (gen_random_uuid(), 'b', 'blue', now())",
  );
  await database.query("INSERT INTO few VALUES (true)");
  const check = async (sql: string, values?: readonly unknown[]) => {
    const asked = await statementsOf(database, () =>
      database.transaction(async (tx) => void (await tx.query(sql, values))),
    );
    assert.equal(asked.size, 1);
    return assertIndexed(database, asked);
  };
  for (const [sql, values] of [
    ["SELECT * FROM thing WHERE name = $1", ["a"]],
    ["SELECT max(name) FROM thing"],
    ["SELECT * FROM thing ORDER BY name LIMIT 3"],
    ["SELECT * FROM thing WHERE color = 'red'"],
    ["UPDATE few SET one = true"],
  ] as const)
    await check(sql, values);
  for (const [sql, values] of [
    ["SELECT * FROM thing WHERE at < $1", [new Date()]],
    ["UPDATE thing SET color = $1 WHERE color = $2", ["blue", "green"]],
    ["SELECT count(*) FROM thing"],
    ["SELECT * FROM thing WHERE color = 'green' ORDER BY name LIMIT 3"],
  ] as const)
    await assert.rejects(check(sql, values), /reads the whole of thing/, sql);
});
