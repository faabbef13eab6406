import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, newUuid, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { transferTemplate } from "../transfer.fixture.ts";
import { FIND_TRANSFERS, LIST_TRANSFERS, listTransfers, UPDATE_TRANSFERS } from "./transfer-store.ts";

let testDatabase: TestDatabase;
let database: Database;
const memberId = newUuid();

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  const insert = (member: string, count: number) =>
    database.query(
      `INSERT INTO transfer (id, member_id, request_hash, source_account_id, destination_account_id, currency, amount_minor,
         memo, state, created_at)
       SELECT gen_random_uuid(), ${member}, '', gen_random_uuid(), gen_random_uuid(), 'EUR', 1, '',
         CASE number % 3 WHEN 0 THEN 'FAILED' ELSE 'COMPLETED' END, now() - number / 2 * interval '1 microsecond'
       FROM generate_series(1, ${count}) AS number`,
    );
  await insert("gen_random_uuid()", 20_000);
  await insert(`'${memberId}'`, 2_000);
  await database.query("ANALYZE transfer");
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

/** Both plans are looked at: the one made for the values, and the one that a named statement is kept with. */
const MODES = ["force_custom_plan", "force_generic_plan"] as const;

async function planOf(sql: string, values: readonly string[], mode: (typeof MODES)[number]): Promise<string> {
  return database.transaction(async (tx) => {
    await tx.query(`SET LOCAL plan_cache_mode = ${mode}`);
    await tx.query(`PREPARE probe AS ${sql}`);
    const rows = await tx.query<{ "QUERY PLAN": string }>(`EXPLAIN EXECUTE probe (${values.join()})`);
    await tx.query("DEALLOCATE probe");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
}

const last = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const queries: [what: string, sql: string, values: string[], index: RegExp][] = [
  ["by id", FIND_TRANSFERS, [`'{${newUuid()},${newUuid()}}'`], /transfer_pkey/],
  [
    "changes",
    UPDATE_TRANSFERS,
    [`'{${newUuid()}}'`, "'{HELD}'", "'{NULL}'", "'{NULL}'", "'{2}'", "now()"],
    /transfer_pkey/,
  ],
  ["the first page", LIST_TRANSFERS, [`'${memberId}'`, "NULL", "'9999999999999999'", `'${last}'`, "51"], /_by_member/],
  [
    "a page of one state",
    LIST_TRANSFERS,
    [`'${memberId}'`, "'{FAILED}'", "'1700000000000000'", `'${last}'`, "51"],
    /_by_member/,
  ],
];

for (const [what, sql, values, index] of queries)
  test(`${what}: read by an index, in its order`, async () => {
    for (const mode of MODES) {
      const plan = await planOf(sql, values, mode);
      assert.match(plan, index, mode);
      assert.doesNotMatch(plan, /Seq Scan|Sort/, `${mode}\n${plan}`);
      if (sql === LIST_TRANSFERS)
        assert.match(plan, /Index Cond: .*ROW\(created_at, id\)/, `${mode}: a page begins in the index`);
    }
  });

test("pages of transfers of one moment leave none out and give none twice, to the microsecond", async () => {
  const seen: string[] = [];
  let after: readonly [string, string] | undefined;
  for (;;) {
    const rows = await listTransfers(database, { memberId, states: ["FAILED"], limit: 97, after });
    seen.push(...rows.map(({ transfer }) => transfer.id));
    after = rows.at(-1)?.position;
    if (rows.length < 97) break;
  }
  const expected = await database.query<{ id: string }>(
    "SELECT id FROM transfer WHERE member_id = $1 AND state = 'FAILED' ORDER BY created_at DESC, id DESC",
    [memberId],
  );
  assert.deepEqual(
    seen,
    expected.map(({ id }) => id),
  );
});
