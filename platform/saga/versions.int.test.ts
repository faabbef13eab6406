import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as pauseMs } from "node:timers/promises";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { child } from "./child.ts";
import { defineSaga, parallel, step } from "./define.ts";
import type { SagaDefinition, Step } from "./definition.ts";
import { createSagaEngine, type SagaEngine } from "./engine.ts";
import type { Saga } from "./saga.ts";
import { answered, bankSaid, type ExampleReply, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

/** With more time than any test takes: only what begins in the first version is soon over its time. */
const [verify, hold, send, settle] = exampleSaga.steps.map((each) => ({ ...each, timeoutMs: 60_000 })) as [
  Step<ExampleState>,
  Step<ExampleState>,
  Step<ExampleState>,
  Step<ExampleState>,
];
const first = defineSaga<ExampleState>(
  "send-money",
  1,
  [verify, hold, send, settle].map((each) => ({ ...each, timeoutMs: 100 })),
);
/** Holds before it verifies, and both under new names. */
const second = defineSaga<ExampleState>("send-money", 2, [
  { ...hold, name: "reserve" },
  { ...verify, name: "check" },
  send,
  settle,
]);
const beside = defineSaga<ExampleState>("beside", 2, [
  parallel([step("one", { ask: hold.ask, undo: hold.undo! }), step("two", { ask: verify.ask })]),
]);
const outer = defineSaga<ExampleState>("outer", 1, [
  child("inner", { saga: second, begin: ({ state }) => state, timeoutMs: 100 }),
]);

let testDatabase: TestDatabase;
let database: Database;
let sent: OutgoingMessage[] = [];
const engines: SagaEngine[] = [];
const decision = { operatorId: "o", reason: "the new version is there" };

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop();
  await database.query("TRUNCATE saga, saga_audit");
  sent = [];
});
after(async () => {
  await database.close();
  await testDatabase.drop();
});

/** A deploy of a service that knows these definitions. */
function deploy(...definitions: SagaDefinition<ExampleState>[]): SagaEngine {
  return deployed(definitions);
}

function deployed(definitions: SagaDefinition<ExampleState>[], beginWith?: Record<string, number>): SagaEngine {
  const engine = createSagaEngine({
    ...(beginWith === undefined ? {} : { beginWith }),
    ...{ database, bus: createMemoryBus(), definitions: definitions as SagaDefinition<unknown>[] },
    outbox: {
      add: async (tx, messages) => tx.afterCommit(() => void sent.push(...messages)),
      acknowledgedBelow: async () => 2n ** 62n,
    },
    ...{ replyTopic: "ferry.transfer.replies.v1", group: newUuid(), logger: silentLogger },
    backoff: { firstMs: 10, maxMs: 20 },
  });
  engines.push(engine);
  return engine;
}

async function begin(engine: SagaEngine, definition: string): Promise<string> {
  const id = newUuid();
  const state: ExampleState = { accountId: "a", amountMinor: 1n };
  await database.transaction((tx) => engine.begin(tx, [{ id, definition, state }]));
  return id;
}

async function reply(engine: SagaEngine, id: string, ...replies: ExampleReply[]): Promise<void> {
  for (const { step, reply } of replies)
    await engine.handleReplies([
      { id: newUuid(), type: reply.$typeName, key: id, message: reply, sagaId: id, sagaStep: step },
    ]);
}

async function get(engine: SagaEngine, id: string): Promise<Saga> {
  const saga = (await engine.find(database, [id])).get(id);
  assert.ok(saga);
  return saga;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const startedAtMs = Date.now(); !(await holds()); await pauseMs(10))
    if (Date.now() - startedAtMs > 30_000) throw new Error(`waited too long until ${what}`);
}

const at = (step: string, { reply }: ExampleReply): ExampleReply => ({ kind: "reply", step, reply });
const FIRST = [answered("verify"), answered("placeHold"), bankSaid("send", "done"), answered("settle")];
const SECOND = [
  ...[at("reserve", answered("placeHold")), at("check", answered("verify"))],
  ...[bankSaid("send", "done"), answered("settle")],
];

test("after a deploy sagas under way end on the version they began with, and new ones begin with the new one", async () => {
  const old = await begin(deploy(first), "send-money");
  const engine = deploy(first, second);
  const young = await begin(engine, "send-money");
  await reply(engine, old, ...FIRST);
  await reply(engine, young, ...SECOND);
  const ended = [await get(engine, old), await get(engine, young)];
  assert.deepEqual(
    ended.map(({ version, status, steps }) => [version, status, steps[0]?.name]),
    [
      [1, "completed", "verify-account"],
      [2, "completed", "reserve"],
    ],
  );
});

test("a release can know a version before sagas begin with it: replicas of the release before take all of them on", async () => {
  const before = deploy(first);
  const between = deployed([first, second], { "send-money": 1 });
  const id = await begin(between, "send-money");
  await reply(before, id, ...FIRST);
  assert.deepEqual([(await get(before, id)).version, (await get(before, id)).status], [1, "completed"]);
  const after = deploy(first, second);
  const young = await begin(after, "send-money");
  await reply(between, young, ...SECOND);
  assert.deepEqual([(await get(between, young)).version, (await get(between, young)).status], [2, "completed"]);
  assert.throws(() => deployed([second], { "send-money": 1 }), /cannot begin with send-money version 1/);
});

test("a version that is gone parks when its time comes; nothing is sent, and the deploy that knows it again resumes it", async () => {
  const id = await begin(deploy(first), "send-money");
  const forgetful = deploy(second);
  await forgetful.start();
  await until("it was parked", async () => (await get(forgetful, id)).status === "parked");
  const parked = await get(forgetful, id);
  assert.deepEqual([parked.failure?.code, parked.step, sent.length], ["SAGA_VERSION_UNKNOWN", 0, 1]);
  const seen = await forgetful.look(database, id);
  assert.deepEqual([seen.definition, seen.actions], [undefined, []]);
  for (const action of ["resume", "undo", "skip"] as const)
    await assert.rejects(forgetful.operate(action, id, decision), /does not know version 1/);
  assert.equal(await database.transaction((tx) => forgetful.cancel(tx, id)), "too-late");
  assert.equal((await database.query("SELECT 1 FROM saga_audit")).length, 0);

  const knowing = deploy(first, second);
  assert.deepEqual((await knowing.look(database, id)).actions, ["resume", "undo"]);
  await knowing.operate("resume", id, decision);
  assert.equal(sent.at(-1)?.id, `${id}:verify-account:ask:2`);
  await reply(knowing, id, ...FIRST);
  assert.equal((await get(knowing, id)).status, "completed");
});

test("steps side by side of a version that is gone park together, and are asked again together", async () => {
  const knowing = deploy(first, beside);
  const id = await begin(knowing, "beside");
  await reply(deploy(first), id, at("one", answered("placeHold")));
  const parked = await get(knowing, id);
  assert.deepEqual([parked.status, parked.lanes?.length], ["parked", 2]);
  assert.ok(parked.lanes?.every(({ waiting }) => waiting.for === "operator"));
  await knowing.operate("resume", id, decision);
  const again = sent.slice(-2).map((message) => message.id);
  assert.deepEqual(again, [`${id}:one:ask:2`, `${id}:two:ask:2`]);
  await reply(knowing, id, at("two", answered("verify")), at("one", answered("placeHold")));
  assert.equal((await get(knowing, id)).status, "completed");
});

test("a child of a version that is gone parks, its parent waits, and both end once it is known again", async () => {
  const knowing = deploy(outer);
  const id = await begin(knowing, "outer");
  const childId = (await get(knowing, id)).steps[0]?.childId ?? "";
  await reply(deploy(first), childId, SECOND[0]!);
  assert.equal((await get(knowing, childId)).status, "parked");
  await knowing.start();
  const { revision } = await get(knowing, id);
  await until("the parent has looked", async () => (await get(knowing, id)).revision > revision);
  assert.equal((await get(knowing, id)).status, "running");
  await knowing.operate("resume", childId, decision);
  await reply(knowing, childId, ...SECOND);
  await until("the parent ended", async () => (await get(knowing, id)).status === "completed");
});

test("a row that was written before there were children and groups is taken on as it is", async () => {
  const engine = deploy(first);
  const id = await begin(engine, "send-money");
  const [row] = await database.query<{ progress: Record<string, unknown> }>("SELECT progress FROM saga WHERE id = $1", [
    id,
  ]);
  assert.deepEqual(Object.keys(row?.progress ?? {}), [
    ...["step", "attempts", "tries", "tryingSinceMs", "waiting", "steps"],
  ]);
  const { lanes, parent, turningBack } = await get(engine, id);
  assert.deepEqual([lanes, parent, turningBack], [undefined, undefined, undefined]);
});
