import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OutboxBatchSchema } from "@ferry/gen/ferry/outbox/v1/outbox_pb.ts";
import { encode } from "@ferry/platform/codec";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { outboxMigrations } from "./index.ts";
import { newBatch } from "./message.ts";
import { readHorizon, readRows, readTransactions } from "./store.ts";

let created: TestDatabase;
let database: Database;
before(async () => {
  created = await createTestDatabase({ name: "outbox", run: (url) => migrate(url, [outboxMigrations]) });
  database = openDatabase({ url: created.url, ...PATIENT });
});
after(async () => {
  await database.close();
  await created.drop();
});

test("rows come in the order of their transactions' numbers, also where these gain a digit", async () => {
  const batch = encode(OutboxBatchSchema, newBatch("ferry/test", new Date(0)));
  for (const xid of ["100", "8", "1000", "99", "999"])
    await database.query("INSERT INTO outbox (xid, origin, batch) VALUES ($1::text::xid8, $2::uuid, $3::bytea)", [
      ...[xid, newUuid(), batch],
    ]);
  const xidsOf = (rows: readonly { xid: bigint }[]) => rows.map(({ xid }) => Number(xid));
  const stretch = { below: 10_000n, notOf: newUuid(), ownFrom: undefined, limit: 3 };
  const first = await readRows(database, { ...stretch, after: { xid: 0n, seq: 0n } });
  assert.deepEqual(xidsOf(first), [8, 99, 100]);
  // What follows goes on from the last one: of a page in another order it would leave rows out for ever.
  assert.deepEqual(xidsOf(await readRows(database, { ...stretch, after: first.at(-1)! })), [999, 1_000]);
  assert.deepEqual(xidsOf(await readTransactions(database, [1_000n, 8n, 999n])), [8, 999, 1_000]);
});

test("the horizon lies above every transaction that has begun, also where none has ended since", async () => {
  for (let round = 0; round < 5; round++)
    await database.transaction(async (tx) => {
      const [row] = await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
      const xid = BigInt(row!.xid);
      const { oldest, next } = await readHorizon(database);
      assert.ok(oldest <= xid && xid < next, `${xid} runs; the horizon is from ${oldest} to ${next}`);
    });
});
