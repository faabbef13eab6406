import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { multiply, naming } from "./multiply.ts";

const ONE = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";
let database: Database;
let drop: () => Promise<void>;

before(async () => {
  const created = await createTestDatabase();
  drop = created.drop;
  database = openDatabase({ url: created.url, maxConnections: 1, ...PATIENT });
  await database.query(
    "CREATE TABLE thing (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, facts jsonb, at bigint, flag bytea)",
  );
  await database.query("INSERT INTO thing (id, facts, at, flag) VALUES ($1, $2, 7, '\\x01')", [
    ONE,
    { owner: ONE, n: 1 },
  ]);
  await database.query("INSERT INTO thing (id, facts, at) VALUES ($1, '{}', 8)", [OTHER]);
});
after(async () => {
  await database.close();
  await drop();
});

test("rows of the template alone are copied, with ids of their own in every column", async () => {
  const expression = "md5('x' || i)::uuid";
  const rows = await multiply(
    database,
    {
      table: "thing",
      template: naming("thing", ONE),
      replacements: [{ value: ONE, expression }],
      columns: { at: "i + $1::bigint" },
      values: [100],
    },
    50_000,
  );
  assert.equal(rows, 1);
  const [found] = await database.query<Record<string, number>>(
    "SELECT count(*)::int AS total, count(*) FILTER (WHERE facts ->> 'owner' = id::text AND facts ->> 'n' = '1' AND flag = '\\x01')::int AS whole, count(DISTINCT seq)::int AS places, min(at)::int AS first, max(at)::int AS last FROM thing WHERE id NOT IN ($1, $2)",
    [ONE, OTHER],
  );
  assert.deepEqual(found, { total: 50_000, whole: 50_000, places: 50_000, first: 100, last: 50_099 });
});

test("a table that is not there, or has no row of the template, is left as it is", async () => {
  const replacements = [{ value: ONE, expression: "i" }];
  assert.equal(await multiply(database, { table: "nothing", template: "true", replacements }, 10), 0);
  assert.equal(await multiply(database, { table: "thing", template: "false", replacements }, 10), 0);
});
