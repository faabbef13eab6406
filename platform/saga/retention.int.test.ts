import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { child } from "./child.ts";
import { defineSaga } from "./define.ts";
import { createSagaEngine, type SagaEngineOptions } from "./engine.ts";
import { answered, bankSaid, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { deleteEnded, sagaMigrations } from "./store.ts";

const DAY_MS = 24 * 3_600_000;
const outer = defineSaga<ExampleState>("outer", 1, [
  child("inner", { saga: exampleSaga, begin: ({ state }) => state }),
  ...exampleSaga.steps.slice(1, 2),
]);
let testDatabase: TestDatabase;
let database: Database;

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

function createEngine(options: Partial<Pick<SagaEngineOptions, "database" | "now" | "keepEndedMs">> = {}) {
  return createSagaEngine({
    ...{ database, bus: createMemoryBus(), definitions: [exampleSaga, outer], logger: silentLogger },
    outbox: { add: async () => {}, acknowledgedBelow: async () => 0n },
    ...{ replyTopic: "ferry.transfer.replies.v1", group: newUuid(), ...options },
  });
}

async function begin(engine: ReturnType<typeof createEngine>, definition: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newUuid());
  const state: ExampleState = { accountId: "a", amountMinor: 1n };
  await database.transaction((tx) =>
    engine.begin(
      tx,
      ids.map((id) => ({ id, definition, state })),
    ),
  );
  return ids;
}

async function end(engine: ReturnType<typeof createEngine>, ids: readonly string[]): Promise<void> {
  for (const { step, reply } of [
    answered("verify"),
    answered("placeHold"),
    bankSaid("send", "done"),
    answered("settle"),
  ])
    await engine.handleReplies(
      ids.map((id) => ({ id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step })),
    );
}

const idsLeft = async () => (await database.query<{ id: string }>("SELECT id FROM saga")).map(({ id }) => id);

test("what ended more than 30 days ago is deleted in chunks, and nothing else; decisions of operators stay", async () => {
  const engine = createEngine();
  const ended = await begin(engine, "send-money", 1_200);
  await end(engine, ended);
  const [running = ""] = await begin(engine, "send-money", 1);
  await database.query(
    `INSERT INTO saga_audit (saga_id, at, operator_id, action, reason, before, after)
     VALUES ($1, now(), 'o', 'skip', 'r', '{}', '{}')`,
    [ended[0]],
  );
  let looks = 0;
  const query: Database["query"] = (text, values) => {
    if (text.startsWith("DELETE FROM saga WHERE id IN")) looks++;
    return database.query(text, values);
  };
  const early = createEngine({ database: { ...database, query }, now: () => Date.now() + 29 * DAY_MS });
  await early.start();
  await until("it looks for what is to be deleted", () => (looks > 0 ? true : undefined));
  await early.stop(); // Waits for the end of the look.
  assert.equal((await idsLeft()).length, 1_201);
  const late = createEngine({ now: () => Date.now() + 31 * DAY_MS });
  await late.start();
  await until("they are deleted", async () => ((await idsLeft()).length > 1 ? undefined : true));
  await late.stop();
  assert.deepEqual(await idsLeft(), [running]);
  assert.equal((await database.query("SELECT 1 FROM saga_audit")).length, 1);
  await database.query("DELETE FROM saga");
});

test("a child stays for as long as its parent may look at it", async () => {
  const engine = createEngine();
  const [parent = ""] = await begin(engine, "outer", 1);
  const childId = (await engine.find(database, [parent])).get(parent)?.steps[0]?.childId ?? "";
  await end(engine, [childId]);
  const future = Date.now() + 31 * DAY_MS;
  assert.equal(await deleteEnded(database, future, 100), 0);
  assert.deepEqual(new Set(await idsLeft()), new Set([parent, childId]));
  await database.query("UPDATE saga SET status = 'completed', look_at = NULL WHERE id = $1", [parent]);
  assert.equal(await deleteEnded(database, future, 100), 2);
});

test("a saga is kept for as long as a request may be repeated", () => {
  assert.throws(() => createEngine({ keepEndedMs: DAY_MS }), /keepEndedMs/);
});

test("the time of its end does not keep a saga's row from being written where it stands", async () => {
  const engine = createEngine();
  const [id = ""] = await begin(engine, "send-money", 1);
  const { step, reply } = answered("verify");
  await engine.handleReplies([
    { id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step },
  ]);
  const written = await database.transaction(async (tx) => {
    const sql = "SELECT n_tup_upd AS all, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables WHERE relname = 'saga'";
    const [sofar] = await tx.query<{ all: bigint; hot: bigint }>(sql);
    assert.equal(await engine.cancel(tx, id), "canceling");
    const [now] = await tx.query<{ all: bigint; hot: bigint }>(sql);
    return { all: (now?.all ?? 0n) - (sofar?.all ?? 0n), hot: (now?.hot ?? 0n) - (sofar?.hot ?? 0n) };
  });
  assert.deepEqual(written, { all: 1n, hot: 1n });
});
