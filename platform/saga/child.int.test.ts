import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as pauseMs } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type Envelope, type MemoryBus } from "@ferry/platform/events";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { child } from "./child.ts";
import { defineSaga } from "./define.ts";
import type { SagaDefinition, Step } from "./definition.ts";
import { createSagaEngine, type SagaEngine, type SagaEngineOptions } from "./engine.ts";
import type { Saga } from "./saga.ts";
import { answered, bankSaid, type ExampleReply, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

/** With more time than any test takes: only what waits for another saga is looked at. */
const [verify, hold, send, settle] = exampleSaga.steps.map((each) => ({ ...each, timeoutMs: 60_000 })) as [
  Step<ExampleState>,
  Step<ExampleState>,
  Step<ExampleState>,
  Step<ExampleState>,
];

interface PayState extends ExampleState {
  short: boolean;
  toppedUp?: bigint;
}

/** Verifies, then collects: its pivot is the payment at the bank. */
const topUp = defineSaga<ExampleState>("top-up", 1, [verify, send, { ...settle, undo: undefined }]);
const pay = defineSaga<PayState>("pay", 1, [
  hold as Step<PayState>,
  child("top-up", {
    saga: topUp,
    when: ({ short }) => short,
    begin: ({ state }) => ({ accountId: state.accountId, amountMinor: state.amountMinor * 2n }),
    answer: ({ outcome, state: { amountMinor }, failure }, { state }) =>
      outcome === "completed"
        ? { kind: "done", state: { ...state, toppedUp: amountMinor } }
        : { kind: failure?.code === "EXPIRED" ? "unavailable" : "refused", failure: failure! },
    timeoutMs: 50,
    retries: 1,
  }),
  { ...settle, retries: 2 } as Step<PayState>,
]);
/** Does not wait for the child's end when it turns back, but for a sibling's: see the tests of steps side by side. */
const outer = defineSaga<PayState>("outer", 1, [child("pay", { saga: pay, begin: ({ state }) => state })]);

let testDatabase: TestDatabase;
let database: Database;
let bus: MemoryBus;
let sent: OutgoingMessage[] = [];
const engines: SagaEngine[] = [];
/** What the engine heard of: the sagas begun by others, and every change. */
let heard: string[] = [];

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  bus = createMemoryBus();
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop();
  await database.query("TRUNCATE saga, saga_audit, saga_stray_reply");
  sent = [];
  heard = [];
});
after(async () => {
  await bus.close();
  await database.close();
  await testDatabase.drop();
});

/** Records what was committed; what sagas tell each other goes over the wire's form and back, unless it is lost. */
function createOutbox({ lost = () => false }: { lost?(message: OutgoingMessage): boolean }): Outbox {
  return {
    add: async (tx, messages) =>
      tx.afterCommit(() => {
        sent.push(...messages);
        for (const each of messages) if (each.topic !== undefined && !lost(each)) told.push(each);
      }),
    acknowledgedBelow: async () => 2n ** 62n,
  };
}

/** What sagas told each other and nobody has heard yet. */
let told: OutgoingMessage[] = [];

function createEngine(options: Partial<SagaEngineOptions> & { lost?(message: OutgoingMessage): boolean } = {}) {
  told = [];
  const engine = createSagaEngine({
    ...{ database, bus, outbox: createOutbox(options), replyTopic: "ferry.payment.replies.v1", group: newUuid() },
    ...{ logger: silentLogger, definitions: [outer, pay, topUp], backoff: { firstMs: 10, maxMs: 20 } },
    onChange: async (_, changes, begun) => {
      for (const { id, definition, parent } of begun) heard.push(`begun ${definition} for ${parent?.step}: ${id}`);
      for (const { after } of changes) heard.push(`${after.definition} ${after.status}`);
    },
    ...options,
  });
  engines.push(engine);
  return engine;
}

async function begin(engine: SagaEngine, short: boolean, definition = "pay"): Promise<string> {
  const id = newUuid();
  const state: PayState = { accountId: "a", amountMinor: 50n, short };
  await database.transaction((tx) => engine.begin(tx, [{ id, definition, state }]));
  return id;
}

function envelope(sagaId: string, { step, reply }: ExampleReply): Envelope<ExampleReply["reply"]> {
  return { id: newUuid(), type: reply.$typeName, key: sagaId, message: reply, sagaId, sagaStep: step };
}

async function reply(engine: SagaEngine, id: string, ...replies: ExampleReply[]): Promise<void> {
  for (const each of replies) {
    await engine.handleReplies([envelope(id, each)]);
    await deliver(engine);
  }
}

/** Hands on what sagas tell each other, until they have nothing left to tell. */
async function deliver(engine: SagaEngine): Promise<void> {
  while (told.length > 0) {
    const set = told.splice(0).map(({ id = "", schema, message, sagaId, sagaStep }) => {
      const read = fromBinary(schema, toBinary(schema, message));
      return { id, type: schema.typeName, key: "", message: read, sagaId, sagaStep };
    });
    await engine.handleReplies(set);
    await engine.handleReplies(set); // Twice, as the bus may.
  }
}

async function get(engine: SagaEngine, id: string): Promise<Saga> {
  const saga = (await engine.find(database, [id])).get(id);
  assert.ok(saga, `no saga ${id}`);
  return saga;
}

const childOf = (saga: Saga) => saga.steps.find(({ childId }) => childId !== undefined)?.childId ?? "";

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const startedAtMs = Date.now(); !(await holds()); await pauseMs(10))
    if (Date.now() - startedAtMs > 30_000) throw new Error(`waited too long until ${what}`);
}

const statuses = ({ steps }: Saga) => steps.map(({ status }) => status);
const TOPPED_UP = [answered("verify"), bankSaid("send", "done"), answered("settle")];

describe("a step that is not needed", () => {
  test("is passed over, and what it would begin is not begun", async () => {
    const engine = createEngine();
    const id = await begin(engine, false);
    await reply(engine, id, answered("placeHold"), answered("settle"));
    const saga = await get(engine, id);
    assert.deepEqual([saga.status, statuses(saga)], ["completed", ["done", "not-needed", "done"]]);
    assert.deepEqual(heard, ["pay running", "pay completed"]);
  });
});

describe("a saga that another begins", () => {
  test("is begun with the step, known to the owner in that transaction, and its end takes the other on", async () => {
    const engine = createEngine();
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    const parent = await get(engine, id);
    const childId = childOf(parent);
    assert.deepEqual(heard, [`begun top-up for top-up: ${childId}`, "pay running"]);
    const begun = await get(engine, childId);
    assert.deepEqual([begun.definition, begun.version, begun.parent], ["top-up", 1, { id, step: "top-up" }]);
    assert.deepEqual(begun.state, { accountId: "a", amountMinor: 100n });
    assert.equal(sent.at(-1)?.id, `${childId}:verify-account:ask:1`);
    await reply(engine, childId, ...TOPPED_UP);
    const saga = await get(engine, id);
    assert.deepEqual([saga.step, saga.state], [2, { accountId: "a", amountMinor: 50n, short: true, toppedUp: 100n }]);
    await reply(engine, id, answered("settle"));
    assert.equal((await get(engine, id)).status, "completed");
  });

  test("that fails is a refusal: what came before is undone, with its failure", async () => {
    const engine = createEngine();
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    await reply(engine, childOf(await get(engine, id)), answered("verify", "BANK_ACCOUNT_CLOSED"));
    const saga = await get(engine, id);
    assert.deepEqual([saga.status, saga.failure?.code], ["undoing", "BANK_ACCOUNT_CLOSED"]);
    assert.equal(sent.at(-1)?.id, `${id}:place-hold:undo:1`);
    await reply(engine, id, answered("releaseHold"));
    const { status, steps } = await get(engine, id);
    assert.deepEqual([status, steps.map((each) => each.status)], ["undone", ["undone", "failed", "pending"]]);
  });

  test("whose end may be tried again is followed by another, and the first one's end told twice counts once", async () => {
    const engine = createEngine();
    await engine.start();
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    const first = childOf(await get(engine, id));
    await reply(engine, first, ...Array(4).fill(answered("verify", "EXPIRED")));
    await until("the first was undone", async () => {
      await reply(engine, first, answered("verify", "EXPIRED"));
      return (await get(engine, first)).status === "undone";
    });
    await until("another was begun", async () => ![first, ""].includes(childOf(await get(engine, id))));
    const second = childOf(await get(engine, id));
    await reply(engine, second, ...TOPPED_UP);
    assert.equal((await get(engine, id)).step, 2);
    assert.equal((await get(engine, id)).steps[1]?.attempts, 2);
  });

  test("whose end was told to nobody is looked at, and waited for while it is under way", async () => {
    const engine = createEngine({ lost: () => true });
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    await engine.start();
    const { revision, steps } = await get(engine, id);
    const childId = steps[1]?.childId ?? "";
    await until("it was looked at twice", async () => (await get(engine, id)).revision >= revision + 2);
    assert.deepEqual((await get(engine, id)).steps, steps, "looking changes nothing");
    await reply(engine, childId, ...TOPPED_UP);
    await until("its end was seen", async () => (await get(engine, id)).step === 2);
  });

  test("two instances that take on the same reply begin it once", async () => {
    const [one, other] = [createEngine(), createEngine()];
    const id = await begin(one, true);
    await other.find(database, [id]);
    await Promise.all([one, other].map((engine) => engine.handleReplies([envelope(id, answered("placeHold"))])));
    const rows = await database.query("SELECT 1 FROM saga WHERE parent_id = $1", [id]);
    assert.equal(rows.length, 1);
    assert.equal((await get(one, id)).revision, 2);
  });

  test("of one that was itself begun by another: ends travel up", async () => {
    const engine = createEngine();
    const id = await begin(engine, true, "outer");
    const payId = childOf(await get(engine, id));
    assert.deepEqual(heard, [`begun pay for pay: ${payId}`]);
    await reply(engine, payId, answered("placeHold"));
    await reply(engine, childOf(await get(engine, payId)), ...TOPPED_UP);
    await reply(engine, payId, answered("settle"));
    assert.equal((await get(engine, id)).status, "completed");
  });

  test("is begun in the version that its parent's table names", async () => {
    const newer = defineSaga<ExampleState>("top-up", 2, topUp.steps);
    const engine = createEngine({ definitions: [pay, newer] as SagaDefinition<unknown>[] });
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    assert.equal((await get(engine, childOf(await get(engine, id)))).version, 1);
  });
});

describe("a parent that turns back while its child is under way", () => {
  async function underWay(...replies: ExampleReply[]) {
    const engine = createEngine();
    const id = await begin(engine, true);
    await reply(engine, id, answered("placeHold"));
    const childId = childOf(await get(engine, id));
    await reply(engine, childId, ...replies);
    const cancel = () => database.transaction((tx) => engine.cancel(tx, id));
    return { engine, id, childId, cancel };
  }

  test("takes the child back, waits for its end, and then undoes what came before", async () => {
    const { engine, id, childId, cancel } = await underWay();
    assert.equal(await cancel(), "canceling");
    assert.equal((await get(engine, id)).status, "undoing");
    assert.equal((await get(engine, childId)).status, "running", "it is told, not touched");
    await deliver(engine);
    const taken = await get(engine, childId);
    assert.deepEqual([taken.status, taken.failure?.code], ["undone", "CANCELED_BY_MEMBER"]);
    await reply(engine, id, answered("releaseHold"));
    const saga = await get(engine, id);
    assert.deepEqual([saga.status, statuses(saga)], ["undone", ["undone", "failed", "pending"]]);
    assert.equal(saga.failure?.code, "CANCELED_BY_MEMBER");
    assert.equal(await cancel(), "canceling");
  });

  test("waits for the end of a child that is past its pivot, and leaves what it did", async () => {
    const { engine, id, childId, cancel } = await underWay(answered("verify"));
    await cancel();
    await deliver(engine);
    assert.equal((await get(engine, childId)).status, "running");
    await reply(engine, childId, bankSaid("send", "done"), answered("settle"));
    await reply(engine, id, answered("releaseHold"));
    const saga = await get(engine, id);
    assert.deepEqual([saga.status, statuses(saga)], ["undone", ["undone", "done", "pending"]]);
  });
});
