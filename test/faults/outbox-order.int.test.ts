// F18: gaps in the outbox. Ids are given in one order and commits come in another; what is younger must neither
// hide what is older, nor come before it where the order counts.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { SettleHoldResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { type Database, migrate, openDatabase, type Transaction } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import pg from "pg";
import { PATIENT } from "../support/patient.ts";
import { waitFor } from "../support/platform.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

const TOPIC = "ferry.transfer.replies.v1";
/** How long the older transaction stays open, in milliseconds. */
const OPEN_MS = process.env.FERRY_FAULTS_FULL === undefined ? 1_200 : 4_000;

let made: TestDatabase;
let database: Database;
let bus: MemoryBus;
let outboxes: ReturnType<typeof createOutbox>[] = [];

// One for each test: as long as others on the server have older transactions, a mark stays behind what is published,
// and the next holder publishes that again.
beforeEach(async () => {
  made = await createTestDatabase({ name: "outbox", run: (url) => migrate(url, [outboxMigrations]) });
  database = openDatabase({ url: made.url, transactionTimeoutMs: 30_000, ...PATIENT });
  bus = createMemoryBus();
});
afterEach(async () => {
  for (const outbox of outboxes) await outbox.stop();
  outboxes = [];
  await database.close();
  await made.drop();
});

function make() {
  const outbox = createOutbox({ database, bus, source: "ferry/test", logger });
  outboxes.push(outbox);
  return outbox;
}
async function start() {
  const outbox = make();
  await outbox.start();
  await waitFor("the lock", () => outbox.stats().relaying);
  return outbox;
}
const message = (transferId: string) => ({
  ...{ schema: SettleHoldResponseSchema, message: create(SettleHoldResponseSchema, { transferId }), topic: TOPIC },
});
const keys = () => bus.records(TOPIC).map(({ key }) => key!);
const over = (sinceMs: number) => waitFor("time to pass", () => Date.now() - sinceMs > OPEN_MS, OPEN_MS * 3);
const takeXid = (tx: Transaction) => tx.query("SELECT pg_current_xact_id()");

test("F18 T1 writes and waits, T2 commits, T1 commits: both are published, from memory and from the table", async () => {
  const relaying = await start();
  const elsewhere = make(); // Never started: what it adds goes by the table.
  for (const [name, older] of [
    ["memory", relaying],
    ["table", elsewhere],
  ] as const) {
    const opened = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const first = database.transaction(async (tx) => {
      await older.add(tx, [message(`${name}-older`)]);
      opened.resolve();
      await goOn.promise;
    });
    await opened.promise;
    const since = Date.now();
    await database.transaction((tx) => elsewhere.add(tx, [message(`${name}-younger`)]));
    await database.transaction((tx) => relaying.add(tx, [message(`${name}-own`)]));
    await over(since);
    assert.ok(!keys().includes(`${name}-older`), "it was still open: the fault did not bite");
    goOn.resolve();
    await first;
    await waitFor("all three", () => keys().filter((key) => key.startsWith(name)).length === 3);
  }
  const [row] = await database.query<{ n: bigint }>("SELECT count(*) AS n FROM outbox");
  assert.equal(row!.n, 6n);
  assert.equal(new Set(keys()).size, 6, "each once");
  assert.ok(keys().indexOf("table-older") < keys().indexOf("table-younger"), "by the table they come in order");
});

test("F18 T1 takes its xid, T2 locks the row and commits, T1 locks it: both are published, and their versions tell the order", async () => {
  await database.query("CREATE TABLE IF NOT EXISTS thing (id int PRIMARY KEY, version bigint NOT NULL)");
  await database.query("INSERT INTO thing VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET version = 0");
  const outbox = await start();
  const change = async (tx: Transaction, name: string) => {
    const [row] = await tx.query<{ version: bigint }>(
      "UPDATE thing SET version = version + 1 WHERE id = 1 RETURNING version",
    );
    await outbox.add(tx, [{ ...message("thing"), id: `${name}:${row!.version}` }]);
  };
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const first = database.transaction(async (tx) => {
    await takeXid(tx);
    begun.resolve();
    await goOn.promise;
    await change(tx, "T1");
  });
  await begun.promise;
  await database.transaction((tx) => change(tx, "T2"));
  goOn.resolve();
  await first;
  await waitFor("both", () => keys().length === 2);
  const ids = bus.records(TOPIC).map(({ headers }) => headers.ce_id);
  assert.deepEqual(ids.toSorted(), ["T1:2", "T2:1"], "the version is of the lock's order, whatever the xid's");
});

test("F18 an open write transaction in another database of the cluster holds up the mark, not the messages", async () => {
  const admin = new pg.Client({ connectionString: process.env.FERRY_TEST_DATABASE_URL });
  await admin.connect();
  try {
    await admin.query("BEGIN");
    await admin.query("SELECT pg_current_xact_id()");
    const outbox = await start();
    const xid = await database.transaction(async (tx) => {
      await outbox.add(tx, [message("own")]);
      const [row] = await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid");
      return BigInt(row!.xid);
    });
    await waitFor("the message, while the other database is open", () => keys().includes("own"));
    assert.ok((await outbox.acknowledgedBelow()) <= xid, "the mark passed what was open: the fault did not bite");
    await admin.query("COMMIT");
    // Other tests have transactions open on this server too.
    await waitFor("the mark to pass it", async () => (await outbox.acknowledgedBelow()) > xid);
    const next = make();
    await next.start();
    await outbox.stop();
    await waitFor("the next holder", () => next.stats().relaying);
    await database.transaction((tx) => next.add(tx, [message("later")]));
    await waitFor("what came later", () => keys().includes("later"));
    assert.equal(keys().filter((key) => key === "own").length, 1, "nothing comes twice");
  } finally {
    await admin.end();
  }
});
