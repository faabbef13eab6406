// Over 300 lines because the rules of the relay hold together, and their tests share one set-up.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary } from "@bufbuild/protobuf";
import { PlaceHoldRequestSchema, SettleHoldResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { OutboxBatchSchema } from "@ferry/gen/ferry/outbox/v1/outbox_pb.ts";
import { type Database, migrate, openDatabase, type Transaction } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMemoryBus, type MemoryBus, type OutgoingRecord } from "@ferry/platform/events";
import { newTraceparent, runInContext, silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";
import { createOutbox, outboxMigrations } from "./index.ts";
import { readHorizon } from "./store.ts";

const REPLIES = "ferry.transfer.replies.v1";
const COMMANDS = "ferry.ledger.commands.v1";

/** A broker that can be away: what is published meanwhile is refused. */
interface Broker {
  bus: MemoryBus;
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  away: boolean;
  refused: number;
  /** Holds a request back until it resolves. */
  admit(): Promise<void>;
}

function createBroker(): Broker {
  const bus = createMemoryBus();
  const broker: Broker = {
    ...{ bus, away: false, refused: 0, admit: async () => {} },
    async publish(records) {
      await broker.admit();
      if (broker.away) {
        broker.refused++;
        throw new FerryError("UNAVAILABLE", "broker is away");
      }
      await bus.publish(records);
    },
  };
  return broker;
}

/** Longer than any test beside this one keeps a transaction open, or prepared: the mark waits for those too. */
const PATIENCE_MS = 60_000;

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const endMs = Date.now() + PATIENCE_MS; !(await holds()); await delay(5))
    if (Date.now() > endMs) assert.fail(`not in time: ${what}`);
}

/** Of transactions, too: none of these tests is about how long one may take. */
const patient = { ...PATIENT, transactionTimeoutMs: 30_000 };

let template: { url: string; drop(): Promise<void> };
let database: Database;
let broker: Broker;
let started: ReturnType<typeof createOutbox>[] = [];

before(async () => {
  template = await createTestDatabase({ name: "outbox", run: (url) => migrate(url, [outboxMigrations]) });
});
after(() => template.drop());
beforeEach(async () => {
  database = openDatabase({ url: template.url, ...patient });
  await database.query("TRUNCATE outbox");
  broker = createBroker();
});
afterEach(async () => {
  broker.away = false;
  broker.admit = async () => {};
  await Promise.all(started.map((outbox) => outbox.stop()));
  started = [];
  await database.close();
});

function make(on: Database = database, bus: Pick<MemoryBus, "publish"> = broker) {
  return createOutbox({ database: on, bus, source: "ferry/test", logger: silentLogger });
}

async function start(on?: Database) {
  const outbox = make(on);
  started.push(outbox);
  await outbox.start();
  return outbox;
}

/** An outbox that holds the lock. */
async function relaying(on?: Database) {
  const outbox = await start(on);
  await until(() => outbox.stats().relaying, "the lock");
  return outbox;
}

/** Waits until the relay has read the table after now. It is woken to do so: what a commit woke it for may be done before. */
async function untilLooked(): Promise<void> {
  const [now] = await database.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  await until(async () => {
    await database.query("SELECT pg_notify('ferry_outbox', '')");
    const looks = await database.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         AND query LIKE '%(xid, seq) >%' AND state = 'idle' AND query_start > $1`,
      [now!.now],
    );
    return looks.length > 0 || keys().length > 0;
  }, "the relay has looked");
}

/**
 * Waits until every transaction that has begun on the server is over, also those of tests beside this one: the table
 * is read, and marked at an orderly end, up to the oldest of them only.
 */
async function untilAllAreOver(): Promise<void> {
  const { next } = await readHorizon(database);
  await until(async () => (await readHorizon(database)).oldest >= next, "all that has begun is over");
}

const reply = (transferId: string) => ({
  ...{ schema: SettleHoldResponseSchema, message: create(SettleHoldResponseSchema, { transferId }), topic: REPLIES },
});
const xidOf = async (tx: Transaction) =>
  BigInt((await tx.query<{ xid: string }>("SELECT pg_current_xact_id()::text AS xid"))[0]!.xid);
const keys = (topic = REPLIES) => broker.bus.records(topic).map(({ key }) => key!);
const send = (outbox: ReturnType<typeof make>, ...ids: string[]) =>
  database.transaction((tx) => outbox.add(tx, ids.map(reply)));

test("a committed message is published, with its headers", async () => {
  const outbox = await relaying();
  const traceparent = newTraceparent();
  const message = create(PlaceHoldRequestSchema, { sourceAccountId: "account-1", transferId: "t" });
  const command = { ...{ schema: PlaceHoldRequestSchema, message, id: "saga-1:hold:1" } };
  const beside = { sagaId: "saga-1", sagaStep: "place-hold", replyTo: REPLIES };
  await runInContext({ traceparent }, () => database.transaction((tx) => outbox.add(tx, [{ ...command, ...beside }])));
  await until(() => keys(COMMANDS).length === 1, "the message");
  const { headers, key } = broker.bus.records(COMMANDS)[0]!;
  assert.equal(key, "account-1");
  assert.ok(Math.abs(Date.now() - Date.parse(headers.ce_time!)) < 60_000);
  const { ce_time: _time, ...rest } = headers;
  assert.deepEqual(rest, {
    ...{ ce_id: "saga-1:hold:1", ce_type: "ferry.ledger.v1.PlaceHoldRequest", ce_source: "ferry/test", traceparent },
    ...{ ce_specversion: "1.0", "content-type": "application/protobuf" },
    ...{ saga_id: "saga-1", saga_step: "place-hold", reply_to: REPLIES },
  });
});

test("what is added in one turn is one row, in the order in which it was added; what comes later is another", async () => {
  const outbox = await relaying();
  await database.transaction(async (tx) => {
    await Promise.all([outbox.add(tx, [reply("a"), reply("a")]), outbox.add(tx, [reply("a")])]);
    await outbox.add(tx, [reply("a")]);
  });
  await until(() => keys().length === 4, "all four");
  const rows = await database.query<{ batch: Buffer }>("SELECT batch FROM outbox ORDER BY xid, seq");
  const written = rows.map(({ batch }) => fromBinary(OutboxBatchSchema, batch).messages.map(({ id }) => id));
  assert.deepEqual(
    written.map((ids) => ids.length),
    [3, 1],
  );
  assert.deepEqual(
    broker.bus.records(REPLIES).map(({ headers }) => headers.ce_id),
    written.flat(),
  );
});

test("a rolled back message is not published, and does not hold up the mark", async () => {
  const outbox = await relaying();
  let xid = 0n;
  const failing = database.transaction(async (tx) => {
    await outbox.add(tx, [reply("rolled-back")]);
    xid = await xidOf(tx);
    throw new Error("no");
  });
  await assert.rejects(failing, /no/);
  await send(outbox, "kept");
  await until(() => keys().includes("kept"), "the next one");
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes");
  assert.deepEqual(keys(), ["kept"]);
});

test("a younger transaction that commits first does not make an older one be skipped", async () => {
  const outbox = await relaying();
  const olderMayEnd = Promise.withResolvers<void>();
  const olderHasAdded = Promise.withResolvers<bigint>();
  const older = database.transaction(async (tx) => {
    await outbox.add(tx, [reply("older")]);
    olderHasAdded.resolve(await xidOf(tx));
    await olderMayEnd.promise;
  });
  const olderXid = await olderHasAdded.promise;
  await send(outbox, "younger");
  await until(() => keys().includes("younger"), "the younger");
  assert.ok((await outbox.acknowledgedBelow()) <= olderXid);
  olderMayEnd.resolve();
  await older;
  await until(() => keys().includes("older"), "the older");
  await until(async () => (await outbox.acknowledgedBelow()) > olderXid, "the mark passes");
  assert.deepEqual(keys().sort(), ["older", "younger"]);
});

test("rows of another process come in the order of (xid, seq), the older one first although it committed last", async () => {
  const relay = await relaying();
  const other = make(); // Not started: it only writes, as a process without the lock does.
  const mayEnd = Promise.withResolvers<void>();
  const hasBegun = Promise.withResolvers<bigint>();
  const older = database.transaction(async (tx) => {
    hasBegun.resolve(await xidOf(tx)); // Takes its id first,
    await mayEnd.promise;
    await other.add(tx, [reply("a"), reply("a")]); // and its sequence numbers last.
  });
  const olderXid = await hasBegun.promise;
  await send(other, "a");
  await untilLooked();
  assert.deepEqual(keys(), []);
  assert.ok((await relay.acknowledgedBelow()) <= olderXid);
  mayEnd.resolve();
  await older;
  await until(() => keys().length === 3, "all three");
  const rows = await database.query<{ batch: Buffer }>("SELECT batch FROM outbox ORDER BY xid, seq");
  assert.deepEqual(
    broker.bus.records(REPLIES).map(({ headers }) => headers.ce_id),
    rows.flatMap(({ batch }) => fromBinary(OutboxBatchSchema, batch).messages.map(({ id }) => id)),
  );
});

test("what was committed before a crash is published by the next process", async () => {
  const crashed = make();
  await send(crashed, "one", "two");
  await send(crashed, "three");
  await relaying();
  await until(() => keys().length === 3, "all three");
  assert.deepEqual(keys().sort(), ["one", "three", "two"]);
});

test("what was published is not published again by the next process", async () => {
  const first = await relaying();
  for (let index = 0; index < 20; index++) await send(first, `m-${index}`);
  await until(() => keys().length === 20, "all");
  await untilAllAreOver();
  await first.stop();
  const second = await relaying();
  await send(second, "later");
  await until(() => keys().includes("later"), "the later one");
  assert.equal(keys().length, 21);
});

test("while the broker is away messages wait, and the mark with them", async () => {
  const outbox = await relaying();
  broker.away = true;
  let xid = 0n;
  await database.transaction(async (tx) => {
    await outbox.add(tx, [reply("waits")]);
    xid = await xidOf(tx);
  });
  await until(() => broker.refused >= 2, "two tries");
  assert.equal(outbox.stats().pending, 1);
  assert.ok(outbox.stats().oldestAgeMs > 0);
  assert.equal(outbox.unready(), undefined);
  assert.ok((await outbox.acknowledgedBelow()) <= xid);
  broker.away = false;
  await until(() => keys().length === 1, "published");
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes");
  assert.deepEqual(outbox.stats(), { pending: 0, oldestAgeMs: 0, relaying: true });
});

test("the mark does not pass what waits in memory, although the table was read beyond it", async () => {
  const outbox = await relaying();
  await send(outbox, "warm");
  const warm = await database.transaction(xidOf);
  await until(async () => (await outbox.acknowledgedBelow()) > warm - 1n, "the relay has taken over");
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let requests = 0;
  let askedAtMs = 0;
  broker.admit = () => {
    if (++requests > 1) return second.promise;
    askedAtMs = performance.now();
    return first.promise;
  };
  const xids: bigint[] = [];
  for (const name of ["a", "b"])
    await database.transaction(async (tx) => {
      await outbox.add(
        tx,
        Array.from({ length: 600 }, (_, index) => reply(`${name}-${index}`)),
      );
      xids.push(await xidOf(tx));
    });
  await until(() => requests === 1 && performance.now() > askedAtMs + 600, "a look at the table is due");
  await untilAllAreOver();
  first.resolve();
  await until(() => requests === 2, "the second request");
  const mark = await outbox.acknowledgedBelow();
  assert.ok(mark > xids[0]! && mark <= xids[1]!, `mark ${mark} for ${xids}`);
  second.resolve();
  await until(async () => (await outbox.acknowledgedBelow()) > xids[1]!, "the mark passes");
});

test("more than memory takes is left to the table and published once each when the broker is back", async () => {
  const outbox = await relaying();
  await send(outbox, "first");
  await until(() => keys().length === 1, "the relay is at rest");
  broker.away = true;
  const ids = Array.from({ length: 24_000 }, (_, index) => `m-${index}`);
  for (let from = 0; from < ids.length; from += 2_000) await send(outbox, ...ids.slice(from, from + 2_000));
  assert.ok(outbox.stats().pending <= 12_000, `${outbox.stats().pending} in memory`);
  broker.away = false;
  await until(() => keys().length >= ids.length + 1, "all");
  await send(outbox, "last");
  await until(() => keys().includes("last"), "the last");
  assert.equal(keys().length, ids.length + 2);
  assert.equal(new Set(keys()).size, ids.length + 2);
});

/** While a transaction is open that writes, somewhere on the server: the table is read up to it only. */
async function besideOpenTransaction(work: () => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const other = openDatabase({ url: template.url, ...PATIENT, transactionTimeoutMs: 0 });
  const open = other.transaction(async (tx) => {
    await xidOf(tx);
    opened.resolve();
    await promise;
  });
  await Promise.race([opened.promise, open]);
  try {
    await work();
  } finally {
    resolve();
    await open;
    await other.close();
  }
}

/** Messages of one key, which tell in which order they were sent. */
const sendInLine = (outbox: ReturnType<typeof make>, ...ids: string[]) =>
  database.transaction((tx) =>
    outbox.add(
      tx,
      ids.map((id) => ({ ...reply("line"), id })),
    ),
  );
const line = () => broker.bus.records(REPLIES).map(({ headers }) => headers.ce_id!);

test("what a process left to the table before it publishes goes before what it commits after, whoever is open", async () => {
  const outbox = make();
  await besideOpenTransaction(async () => {
    for (const id of ["0", "1"]) await sendInLine(outbox, id);
    started.push(outbox);
    await outbox.start();
    await until(() => outbox.stats().relaying, "the lock");
    for (const id of ["2", "3"]) await sendInLine(outbox, id);
    await until(() => line().length >= 4, "all, while the other is still open");
    assert.deepEqual(line(), ["0", "1", "2", "3"]);
  });
  const last = await database.transaction(xidOf);
  await until(async () => (await outbox.acknowledgedBelow()) >= last, "the mark passes");
  assert.equal(line().length, 4, "nothing comes twice");
});

test("of what memory has no room for nothing is overtaken, whoever is open", async () => {
  const outbox = await relaying();
  await sendInLine(outbox, "first");
  await until(() => line().length === 1, "the relay is at rest");
  const ids = Array.from({ length: 12_000 }, (_, index) => `m-${index}`);
  await besideOpenTransaction(async () => {
    broker.away = true;
    for (let from = 0; from < ids.length; from += 500) await sendInLine(outbox, ...ids.slice(from, from + 500));
    broker.away = false;
    const later: string[] = [];
    for (; line().length < ids.length + 1; later.push(`later-${later.length}`))
      await sendInLine(outbox, `later-${later.length}`);
    await until(() => line().length === 1 + ids.length + later.length, "all, while the other is still open");
    assert.deepEqual(line(), ["first", ...ids, ...later]);
  });
});

test("of two processes one publishes for both; when it stops, the other takes over", async () => {
  const otherDatabase = openDatabase({ url: template.url, ...patient });
  const one = await relaying();
  const two = await start(otherDatabase);
  await otherDatabase.transaction((tx) => two.add(tx, [reply("by-two")]));
  await send(one, "by-one");
  await until(() => keys().length === 2, "both");
  assert.deepEqual([one.stats().relaying, two.stats().relaying], [true, false]);
  const mark = await one.acknowledgedBelow();
  await untilAllAreOver();
  await one.stop();
  await send(one, "left-by-one");
  await until(() => two.stats().relaying, "the lock passes");
  await until(() => keys().length === 3, "what one left");
  await otherDatabase.transaction((tx) => two.add(tx, [reply("by-two-again")]));
  await until(() => keys().length === 4, "two publishes");
  assert.ok((await two.acknowledgedBelow()) >= mark);
  assert.deepEqual(keys().sort(), ["by-one", "by-two", "by-two-again", "left-by-one"]);
  await two.stop();
  await otherDatabase.close();
});

test("a clock that is set back holds up neither what another process leaves to the table nor the mark", async (t) => {
  const one = await relaying();
  const other = make();
  await send(one, "before");
  await until(async () => keys().length === 1 && (await one.acknowledgedBelow()) > 0n, "a look at the table");
  const { now } = Date;
  t.mock.method(Date, "now", () => now() - 3_600_000);
  let xid = 0n;
  await database.transaction(async (tx) => {
    xid = await xidOf(tx);
    await other.add(tx, [reply("after")]);
  });
  await until(() => keys().includes("after"), "what the other process has left");
  await until(async () => (await one.acknowledgedBelow()) > xid, "the mark passes");
});

test("when its session is broken, a process takes the lock again and loses nothing", async () => {
  const outbox = await relaying();
  broker.away = true;
  await send(outbox, "in-memory");
  await until(() => broker.refused > 0, "a try");
  await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  await until(() => !outbox.stats().relaying, "the loss is noticed");
  broker.away = false;
  await send(outbox, "meanwhile");
  await until(() => keys().length === 2, "both");
  assert.deepEqual(keys().sort(), ["in-memory", "meanwhile"]);
});

test("a commit whose answer was lost is published from the table", async () => {
  const outbox = await relaying();
  let xid = 0n;
  const lost = database.transaction(async (tx) => {
    await outbox.add(tx, [reply("committed")]);
    xid = await xidOf(tx);
    await tx.query("COMMIT"); // The server has committed, but this process sees a failure.
    throw new Error("connection lost");
  });
  await assert.rejects(lost, /connection lost/);
  await until(() => keys().length === 1, "the message");
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes");
  assert.deepEqual(keys(), ["committed"]);
});

test("a commit that left with its row, and whose answer was lost with the connection, is published from the table", async (t) => {
  const { hostname: host, port } = new URL(template.url);
  const proxy = await TcpProxy.start({ host, port: Number(port) });
  const through = openDatabase({ url: proxy.through(template.url), ...patient });
  t.after(async () => {
    await Promise.all(started.map((outbox) => outbox.stop()));
    started = [];
    await through.close();
    await proxy.close();
  });
  const outbox = await relaying(through);
  const conclude = (key: string) =>
    through.transaction(async (tx) => {
      const added = outbox.add(tx, [reply(key)]);
      tx.conclude();
      await added;
    });
  await conclude("before");
  for (const key of ["first", "second"]) {
    const lost = proxy.cutOnce({ direction: "up", when: (bytes) => bytes.includes("COMMIT"), deliver: true });
    await assert.rejects(conclude(key));
    await lost;
    await until(() => keys().includes(key), `${key}: nobody here has heard of it`);
  }
  await until(() => outbox.stats().relaying, "it publishes again");
  await conclude("after");
  await until(() => keys().includes("after"), "what comes after");
  assert.deepEqual([...new Set(keys())], ["before", "first", "second", "after"]);
  const xid = await database.transaction(xidOf);
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes");
});

test("of a concluded transaction that failed nothing is published, and the mark passes", async () => {
  const outbox = await relaying();
  const failed = database.transaction(async (tx) => {
    const asked = Promise.all([outbox.add(tx, [reply("never")]), tx.query("SELECT 1 / 0")]);
    tx.conclude();
    await asked;
  });
  await assert.rejects(failed, { code: "22012" });
  const xid = await database.transaction(xidOf);
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes");
  assert.deepEqual(keys(), []);
});

test("a database that was restored on another server goes on: its mark is from the future there", async () => {
  const before = make();
  await send(before, "published");
  await send(before, "not-published");
  const [first] = await database.query<{ seq: bigint }>("SELECT min(seq) AS seq FROM outbox");
  await database.query("UPDATE outbox SET xid = '900000000000'");
  await database.query("UPDATE outbox_mark SET xid = '900000000000', seq = $1", [first!.seq]);
  const outbox = await relaying();
  await send(make(), "later");
  await until(() => keys().length >= 2, "both");
  const xid = await database.transaction(xidOf);
  await send(outbox, "end");
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark is of this server");
  await until(() => keys().length >= 3, "the end"); // It is younger than what the mark has passed.
  assert.deepEqual(keys().sort(), ["end", "later", "not-published"]);
});

test("a time to live begins when the message is handed to the broker", async () => {
  const outbox = await relaying();
  broker.away = true;
  await database.transaction((tx) => outbox.add(tx, [{ ...reply("expires"), ttlMs: 60_000 }]));
  const addedAtMs = Date.now();
  await until(() => broker.refused >= 2 && Date.now() > addedAtMs + 50, "some time");
  const backAtMs = Date.now();
  broker.away = false;
  await until(() => keys().length === 1, "the message");
  const { headers } = broker.bus.records(REPLIES)[0]!;
  const leftMs = Date.parse(headers.expires_at!) - 60_000;
  assert.ok(leftMs >= backAtMs && leftMs <= Date.now(), `stamped at ${leftMs}, back at ${backAtMs}`);
});

test("stop publishes what is committed", async (t) => {
  const outbox = await relaying();
  const gate = Promise.withResolvers<void>();
  broker.admit = () => gate.promise;
  await send(outbox, "one");
  await send(outbox, "two");
  await untilAllAreOver();
  const { now } = performance;
  const stopsAtMs = performance.now();
  // A pause of this process or of the server does not use up the two seconds that a stop waits for what is committed.
  t.mock.method(performance, "now", () => stopsAtMs + (now.call(performance) - stopsAtMs) / 10);
  const stopped = outbox.stop();
  gate.resolve();
  await stopped;
  assert.deepEqual(keys().sort(), ["one", "two"]);
  const next = await relaying();
  await send(next, "later"); // It reads what was left in the table before.
  await until(() => keys().includes("later"), "the later one");
  assert.equal(keys().length, 3);
});

test("a message without a topic is refused where it is added", async () => {
  const outbox = make();
  const { topic: _topic, ...homeless } = reply("t");
  await assert.rejects(
    database.transaction((tx) => outbox.add(tx, [homeless])),
    /SettleHoldResponse has no topic/,
  );
});

test("under concurrent load with rollbacks every committed message comes exactly once, in order per transaction", async () => {
  const outbox = await relaying();
  const wanted: string[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async (_, lane) => {
      for (let index = 0; index < 60; index++) {
        const ids = [`${lane}-${index}-a`, `${lane}-${index}-b`];
        const fails = index % 7 === 3;
        const work = database.transaction(async (tx) => {
          await outbox.add(tx, [reply(ids[0]!)]);
          await outbox.add(tx, [reply(ids[1]!)]);
          if (fails) throw new Error("rolled back");
        });
        if (fails) await assert.rejects(work);
        else {
          await work;
          wanted.push(...ids);
        }
      }
    }),
  );
  await until(() => keys().length >= wanted.length, "all");
  const xid = await database.transaction(xidOf);
  await send(outbox, "end");
  await until(async () => (await outbox.acknowledgedBelow()) > xid, "the mark passes all");
  await until(() => keys().includes("end"), "the end"); // It is younger than what the mark has passed.
  assert.deepEqual(keys().sort(), [...wanted, "end"].sort());
});
