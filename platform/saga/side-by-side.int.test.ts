import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as pauseMs } from "node:timers/promises";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { defineSaga, parallel, step } from "./define.ts";
import type { Exchange } from "./definition.ts";
import { createSagaEngine, type SagaEngine } from "./engine.ts";
import type { Saga } from "./saga.ts";
import { answered, type ExampleReply, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

type Asked = Exchange<ExampleState>;
const [verify, hold] = exampleSaga.steps.map(({ ask }) => ask) as [Asked, Asked];
const release = exampleSaga.steps[1]?.undo as Asked;
const holds = defineSaga<ExampleState>("holds", 1, [
  parallel([
    step("verify", { ask: verify, timeoutMs: 100, retries: 1 }),
    step("one", { ask: hold, undo: release, timeoutMs: 100, retries: 1 }),
    step("two", { ask: hold, undo: release, timeoutMs: 100, retries: 1 }),
  ]),
]);

let testDatabase: TestDatabase;
let database: Database;
let sent: OutgoingMessage[] = [];
let acknowledged = 2n ** 62n;
const engines: SagaEngine[] = [];

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop();
  await database.query("TRUNCATE saga");
  sent = [];
  acknowledged = 2n ** 62n;
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

function createEngine(): SagaEngine {
  const engine = createSagaEngine({
    ...{ database, bus: createMemoryBus(), definitions: [holds], logger: silentLogger },
    outbox: {
      add: async (tx, messages) => tx.afterCommit(() => void sent.push(...messages)),
      acknowledgedBelow: async () => acknowledged,
    },
    ...{ replyTopic: "ferry.transfer.replies.v1", group: newUuid(), backoff: { firstMs: 10, maxMs: 20 } },
  });
  engines.push(engine);
  return engine;
}

async function begin(engine: SagaEngine, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newUuid());
  const state: ExampleState = { accountId: "a", amountMinor: 1n };
  await database.transaction((tx) =>
    engine.begin(
      tx,
      ids.map((id) => ({ id, definition: "holds", state })),
    ),
  );
  return ids;
}

async function reply(engine: SagaEngine, ids: readonly string[], step: string, { reply }: ExampleReply): Promise<void> {
  await engine.handleReplies(
    ids.map((id) => ({ id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step })),
  );
}

async function get(engine: SagaEngine, id = ""): Promise<Saga> {
  return (await engine.find(database, [id])).get(id) ?? assert.fail(`no saga ${id}`);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const startedAtMs = Date.now(); !(await holds()); await pauseMs(10))
    if (Date.now() - startedAtMs > 30_000) throw new Error(`waited too long until ${what}`);
}

test("replies of one set and of several instances each find their step", async () => {
  const [one, other] = [createEngine(), createEngine()];
  const ids = await begin(one, 20);
  assert.equal(sent.length, 60, "three commands each");
  await reply(other, ids, "two", answered("placeHold"));
  await reply(one, ids, "verify", answered("verify"));
  await reply(other, ids, "one", answered("placeHold"));
  const sagas = [...(await one.find(database, ids)).values()];
  assert.ok(sagas.every(({ status, lanes }) => status === "completed" && lanes === undefined));
});

test("replies that two instances take on at the same time are all taken", async () => {
  const [one, other, third] = [createEngine(), createEngine(), createEngine()];
  const ids = await begin(one, 20);
  await Promise.all([
    reply(one, ids, "one", answered("placeHold")),
    reply(other, ids, "two", answered("placeHold")),
    reply(third, ids, "verify", answered("verify")),
  ]);
  const sagas = [...(await one.find(database, ids)).values()];
  assert.ok(sagas.every(({ status }) => status === "completed"));
});

test("while the broker is away none of them is overdue, also when one of them had to pause", async () => {
  acknowledged = 0n;
  const engine = createEngine();
  await engine.start();
  const [id] = await begin(engine, 1);
  await reply(engine, [id ?? ""], "one", answered("placeHold", "UNAVAILABLE"));
  const { revision } = await get(engine, id);
  await until(
    "their clocks were started anew a few times",
    async () => (await get(engine, id)).revision > revision + 4,
  );
  const attempts = (await get(engine, id)).steps.map((record) => record.attempts);
  assert.deepEqual(attempts, [1, 2, 1]);
  acknowledged = 2n ** 62n;
  await until("they were given up", async () => (await get(engine, id)).status === "undoing");
  assert.equal((await get(engine, id)).failure?.code, "STEP_TIMED_OUT");
});
