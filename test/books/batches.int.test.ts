// The checks of batches can fail: each notices what is put into the books on purpose.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { migrations } from "@ferry/transfer";
import { PATIENT } from "../support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { BATCH_BREACHES } from "./batches.ts";

let testDatabase: TestDatabase;
let database: Database;

before(async () => {
  testDatabase = await createTestDatabase({ name: "books_batches", run: (url) => migrate(url, migrations) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

/** A batch of one line, with its transfer. */
async function record({ batch = "COMPLETED", line = "COMPLETED", transfer = "COMPLETED", verdict = "GO", number = 1 }) {
  const [id, transferId] = [newUuid(), newUuid()];
  await database.query(
    `INSERT INTO transfer_batch (id, member_id, request_hash, mode, state, line_count, verdict, failure_code, created_at, ended_at)
     VALUES ($1, $1, '', 'ALL_OR_NOTHING', $2, 1, $3, CASE WHEN $3 = 'STOP' THEN 'BATCH_FAILED' END, now(),
       CASE WHEN $2 = 'RUNNING' THEN NULL ELSE now() END)`,
    [id, batch, verdict],
  );
  await database.query(
    `INSERT INTO transfer_batch_line (batch_id, line, state, reference, source_account_id, currency, memo, transfer_id)
     VALUES ($1, $4, $2, '', '', 'EUR', '', $3)`,
    [id, line, transferId, number],
  );
  await database.query(
    `INSERT INTO transfer (id, member_id, request_hash, source_account_id, destination_account_id, currency, amount_minor,
       memo, state, batch_id, batch_line) VALUES ($1, $1, '', $1, $1, 'EUR', 1, '', $2, $3, 1)`,
    [transferId, transfer, id],
  );
}

async function found(): Promise<string[]> {
  const names = [];
  for (const [, what, sql] of BATCH_BREACHES) if ((await database.query(sql)).length > 0) names.push(what);
  return names;
}

const [NOT_ENDED, DIFFERS, , IN_PART] = BATCH_BREACHES.map(([, what]) => what);

for (const [what, rows, breaches] of [
  ["nothing in good books", {}, []],
  ["a batch that has not ended", { batch: "RUNNING" }, [NOT_ENDED]],
  ["a line that says what its transfer does not", { line: "FAILED" }, [DIFFERS]],
  ["a line of another number than its transfer's", { number: 2 }, [DIFFERS]],
  ["a payment without the verdict for it", { verdict: "STOP", batch: "FAILED" }, [IN_PART]],
] as const)
  test(`the checks of batches find ${what}`, async () => {
    await record(rows);
    assert.deepEqual(await found(), breaches);
    await database.query("TRUNCATE transfer_batch, transfer_batch_line, transfer");
  });

test("the checks of batches find a transfer that is no line", async () => {
  await record({});
  await database.query("DELETE FROM transfer_batch_line");
  assert.deepEqual(await found(), ["a transfer of a batch is no line of it"]);
});
