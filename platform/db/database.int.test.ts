import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { fromUnknown } from "@ferry/platform/errors";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";
import { until } from "../../test/support/until.ts";
import { type Database, openDatabase, orLostRace, type Transaction } from "./index.ts";

let made: Awaited<ReturnType<typeof createTestDatabase>>;
let database: Database;
let other: Database;
/** For what none of these tests waits for, however long this machine pauses. */
const patient = { connectTimeoutMs: 15_000, transactionTimeoutMs: 20_000 };

before(async () => {
  made = await createTestDatabase();
  database = openDatabase({ url: made.url, maxConnections: 1, ...patient });
  other = openDatabase({ url: made.url, maxConnections: 1, ...patient });
  await other.query("CREATE TABLE kept (what text PRIMARY KEY)");
});
after(async () => {
  await database.close();
  await other.close();
  await made.drop();
});

const insert = (tx: Transaction, what: string) => tx.query("INSERT INTO kept VALUES ($1)", [what]);
const kept = async (what: string) => (await other.query("SELECT 1 FROM kept WHERE what = $1", [what])).length;

test("what one part asks for after another has failed is refused: it is not written beside the transaction", async () => {
  const [late, locked, failed] = Array.from({ length: 3 }, () => Promise.withResolvers<unknown>());
  const lock = (tx: Transaction) => tx.query("SELECT pg_advisory_xact_lock(1)");
  const holding = other.transaction(async (tx) => {
    await lock(tx);
    locked!.resolve(undefined);
    await failed!.promise;
  });
  await locked!.promise;
  const work = database.transaction(async (tx) => {
    await tx.query("SELECT 1");
    const slow = lock(tx).then(() => insert(tx, "late"));
    const failing = Promise.reject(new Error("changed meanwhile"));
    failing.catch(() => setImmediate(failed!.resolve)); // By then the transaction has heard of it.
    slow.then(late!.resolve, late!.resolve);
    await Promise.all([failing, slow]);
  });
  await assert.rejects(work, /changed meanwhile/);
  assert.match(String(await late!.promise), /the transaction is over/);
  await holding;
  await database.query("SELECT 1"); // The only connection: whatever was sent on it has been done.
  assert.equal(await kept("late"), 0);
});

test("what is asked for after the commit is refused", async () => {
  const tx = await database.transaction(async (open) => open);
  await assert.rejects(insert(tx, "after"), /the transaction is over/);
});

test("a transaction with a failed statement that nobody heard of is not called committed", async () => {
  let told = false;
  const work = database.transaction(async (tx) => {
    tx.afterCommit(() => {
      told = true;
    });
    await insert(tx, "unheard");
    await tx.query("SELECT 1 / 0").catch(() => {});
  });
  await assert.rejects(work, /nobody heard/);
  assert.deepEqual([told, await kept("unheard")], [false, 0]);
});

test("of statements that are sent together the one that failed says why, whichever is heard first", async () => {
  const deep = async (tx: Transaction) => (await tx.query("SELECT 1 / 0")).length;
  const deeper = async (tx: Transaction) => (await deep(tx)) + 1;
  const work = database.transaction((tx) => Promise.all([deeper(tx), tx.query("SELECT 1")]));
  await assert.rejects(work, { code: "22012" });
});

test("a statement that was left out behind one that failed is asked for later as if for the first time", async () => {
  const text = "SELECT 'left out' AS what";
  const work = database.transaction((tx) => Promise.all([tx.query("SELECT 1 / 0"), tx.query(text)]));
  await assert.rejects(work, { code: "22012" });
  assert.deepEqual(await database.query(text), [{ what: "left out" }]);
  await assert.rejects(database.query("SELECT 1 / 0"), { code: "22012" }, "what has failed fails again, and is known");
});

test("a statement that is used again, alone or twice in one turn, gives what it gave", async () => {
  const at = new Date("2026-11-22T01:02:03.004Z");
  const text = `SELECT n, at, flag, doc, bytes, nothing FROM (VALUES ($1::bigint, $2::timestamptz, $3::boolean, $4::jsonb,
    $5::bytea, NULL), (2, $2, false, '[]', '', NULL)) AS row (n, at, flag, doc, bytes, nothing) WHERE n > $6::bigint`;
  const values = [1n, at, true, { a: [null, "\u00fc"] }, new Uint8Array([0, 255])];
  const first = { n: 1n, at, flag: true, doc: { a: [null, "\u00fc"] }, bytes: Buffer.from([0, 255]), nothing: null };
  const second = { n: 2n, at, flag: false, doc: [], bytes: Buffer.alloc(0), nothing: null };
  assert.deepEqual(await database.query(text, [...values, 0]), [first, second]);
  assert.deepEqual(await database.query(text, [...values, 1]), [second]);
  const both = database.transaction((tx) =>
    Promise.all([tx.query(text, [...values, 2n]), tx.query(text, [...values, "0"]), tx.query("SELECT")]),
  );
  assert.deepEqual(await both, [[], [first, second], [{}]]);
});

test("what cannot be sent fails its statement, and its transaction", async () => {
  const circle: unknown[] = [];
  await assert.rejects(database.query("SELECT $1::int[]", [[{}]]), TypeError);
  await assert.rejects(database.query("SELECT $1::timestamptz", [new Date(Number.NaN)]), RangeError);
  const work = database.transaction(async (tx) => {
    await insert(tx, "unsent");
    await tx.query("SELECT $1::jsonb", [{ circle: Object.assign(circle, [circle]) }]);
  });
  await assert.rejects(work, TypeError);
  assert.equal(await kept("unsent"), 0);
});

/** Inserts, and fails as a lost race where one is there already. */
const insertNew = (tx: Transaction, what: string[]) =>
  tx.query(
    `WITH done AS (INSERT INTO kept SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING 1)
     SELECT ${orLostRace("cardinality($1::text[])")} FROM done`,
    [what],
  );

test("what is concluded is committed with its statements, and hooks run once it is", async () => {
  const order: string[] = [];
  const result = await database.transaction(async (tx) => {
    tx.afterCommit(() => order.push("committed"));
    tx.afterEnd(() => order.push("over"));
    const inserted = Promise.resolve().then(() => insert(tx, "concluded")); // as who gathers, in the same turn
    tx.conclude();
    await inserted;
    order.push("answered");
    return "given";
  });
  assert.deepEqual([result, order], ["given", ["answered", "committed", "over"]]);
  assert.equal(await kept("concluded"), 1);
});

test("of what is concluded nothing is kept when one statement fails, whichever is heard first", async () => {
  let told = false;
  const work = database.transaction(async (tx) => {
    tx.afterCommit(() => {
      told = true;
    });
    const asked = Promise.all([insert(tx, "beside"), tx.query("SELECT 1 / 0"), insert(tx, "behind")]);
    tx.conclude();
    await asked;
  });
  await assert.rejects(work, { code: "22012" });
  assert.deepEqual([told, await kept("beside"), await kept("behind")], [false, 0, 0]);
});

test("rows that are not as many as they should be are a lost race: the closure is run again", async () => {
  await other.query("INSERT INTO kept VALUES ('raced')");
  const runs: string[] = [];
  await database.transaction(async (tx) => {
    const all = runs.length === 0 ? ["raced", "alone"] : ["alone"];
    runs.push(all.join());
    const asked = Promise.all([insertNew(tx, all), insert(tx, `run ${runs.length}`)]);
    tx.conclude();
    await asked;
  });
  assert.deepEqual(runs, ["raced,alone", "alone"]);
  assert.deepEqual([await kept("alone"), await kept("run 1"), await kept("run 2")], [1, 0, 1]);
  await assert.rejects(
    database.transaction((tx) => insertNew(tx, ["raced"])),
    { code: "40001", message: /lost race: 0/ },
  );
});

test("what is asked for in a turn after the conclusion is refused", async () => {
  const work = database.transaction(async (tx) => {
    tx.conclude();
    await insert(tx, "in turn");
    await insert(tx, "too late");
  });
  await assert.rejects(work, /the transaction is over/);
  assert.deepEqual([await kept("in turn"), await kept("too late")], [1, 0]);
});

test("what was concluded stands, whatever is thrown behind it, and its hooks know", async () => {
  let told = false;
  const work = database.transaction(async (tx) => {
    tx.afterCommit(() => {
      told = true;
    });
    const asked = insert(tx, "stands");
    tx.conclude();
    await asked;
    throw new Error("afterwards");
  });
  await assert.rejects(work, /afterwards/);
  assert.deepEqual([told, await kept("stands")], [true, 1]);
  const atOnce = database.transaction(async (tx) => {
    tx.conclude();
    throw new Error("in the same turn");
  });
  await assert.rejects(atOnce, /in the same turn/);
  await database.query("SELECT 1"); // The only connection is as it was.
});

test("where the caller ends a transaction, concluding does not", async () => {
  const preparable = openDatabase({ url: made.url, maxConnections: 1, ...patient });
  const open = await preparable.begin();
  const asked = insert(open.tx, "open");
  open.tx.conclude();
  await asked;
  assert.equal(await kept("open"), 0);
  await open.rollback();
  assert.equal(await kept("open"), 0);
  await preparable.close();
});

const unavailable = (error: unknown) => fromUnknown(error).reason === "UNAVAILABLE";

/** Goes on until the driver itself knows that the connection is gone. */
function throwWhenKnown(error: Error): void {
  if (/queryable/.test(error.message)) throw error;
}

test("a connection that breaks in a transaction fails the transaction, and nothing else", async () => {
  const unheard: unknown[] = [];
  const hear = (error: unknown) => void unheard.push(error);
  process.on("uncaughtException", hear);
  await assert.rejects(
    database.transaction(async (tx) => {
      const [row] = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const killed = other.query("SELECT pg_terminate_backend($1)", [row?.pid]);
      await Promise.all([tx.query("SELECT pg_sleep(30)"), tx.query("SELECT 1"), killed]);
    }),
    unavailable,
  );
  const brief = openDatabase({ url: made.url, maxConnections: 1, ...patient, transactionTimeoutMs: 300 });
  await assert.rejects(
    brief.transaction((tx) => tx.query("SELECT pg_sleep(30)")),
    { code: "25P04" },
  );
  await brief.query("SELECT 1");
  await brief.close();
  const broken = database.transaction(async (tx) => {
    const [row] = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await other.query("SELECT pg_terminate_backend($1)", [row?.pid]);
    for (;;) await tx.query("SELECT 1").catch(throwWhenKnown);
  });
  await assert.rejects(broken, unavailable);
  await database.query("SELECT 1");
  process.off("uncaughtException", hear);
  assert.deepEqual(unheard, []);
});

test("a connection on which no answer comes any more is given up", { timeout: 60_000 }, async (t) => {
  const { hostname, port } = new URL(made.url);
  const proxy = await TcpProxy.start({ host: hostname, port: Number(port) });
  const through = openDatabase({
    ...{ url: proxy.through(made.url), maxConnections: 1 },
    ...{ transactionTimeoutMs: 300, answerMarginMs: 200, connectTimeoutMs: 500 },
  });
  t.after(async () => {
    proxy.lighten();
    await through.close();
    await proxy.close();
  });
  const ask = (): Promise<unknown> => through.query("SELECT 1");
  const change = (): Promise<unknown> => through.transaction((tx) => tx.query("SELECT 1"));
  for (const work of [ask, change]) {
    const answered = () =>
      work().then(
        () => true,
        () => undefined,
      );
    await until("an answer", answered);
    proxy.darken("down");
    await assert.rejects(work(), unavailable);
    proxy.lighten();
  }
});

test("a server that takes a connection and says nothing gives no session, and keeps nobody waiting for one", async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const silent = openDatabase({ url: `postgres://nobody@127.0.0.1:${port}/none`, connectTimeoutMs: 100 });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await silent.close();
  });
  let patience: NodeJS.Timeout | undefined;
  const waited = new Promise((_, reject) => {
    patience = setTimeout(() => reject(new TypeError("it still waits")), 5_000);
  });
  await assert.rejects(Promise.race([silent.session(), waited]), unavailable);
  clearTimeout(patience);
});

test("who still asks when the service stops hears that it is away, and may try elsewhere", async () => {
  const stopping = openDatabase({ url: made.url });
  await stopping.close();
  await assert.rejects(stopping.query("SELECT 1"), { reason: "UNAVAILABLE", retryable: true });
});
