import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pauseMs } from "node:timers/promises";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { SendPaymentRequestSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus, readHeaders, type Subscription, writeHeaders } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { child } from "./child.ts";
import { defineSaga, parallel } from "./define.ts";
import type { Step } from "./definition.ts";
import { createSagaEngine } from "./engine.ts";
import { writeJson } from "./json.ts";
import { createRegistry } from "./registry.ts";
import { answered, bankSaid, type ExampleReply, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

const REPLY_TOPIC = "ferry.transfer.replies.v1";
/** What was not acknowledged is not timed out, and a transaction that a neighbor on the server left prepared holds that up. */
const PATIENCE_MS = 60_000;
const COMMAND_TOPICS = ["ferry.banking.commands.v1", "ferry.ledger.commands.v1"];
/** Only the bank is ever silent: what is slow to answer must not be given up. */
const steps = exampleSaga.steps.map((step) => ({ ...step, timeoutMs: step.kind === "pivot" ? 300 : 10_000 }));
const quick = defineSaga<ExampleState>("send-money", 1, steps);
/** Verifies, holds and sends by another saga at once, then sends itself. */
const [verify, hold, send, settle] = steps as [Step<ExampleState>, ...Step<ExampleState>[]];
const together = defineSaga<ExampleState>("together", 1, [
  parallel([verify, hold!, child("other", { saga: quick, begin: ({ state }) => state, timeoutMs: 200 })]),
  send!,
  settle!,
]);
const { replies: schemas } = createRegistry([together]);

let testDatabase: TestDatabase;
let database: Database;
let bus: MemoryBus;
let responder: Subscription;
/** Sagas by what the bank does with them. */
const refused = new Set<string>();
const silentOnce = new Set<string>();

before(async () => {
  const folders = [outboxMigrations, sagaMigrations];
  testDatabase = await createTestDatabase({ name: "saga_outbox", run: (url) => migrate(url, folders) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  bus = createMemoryBus();
  responder = await bus.subscribe({
    group: "others",
    topics: COMMAND_TOPICS,
    async handle(set) {
      await bus.publish(set.flatMap(({ headers, value }) => replyTo(readHeaders(headers), value) ?? []));
    },
  });
});
after(async () => {
  await responder.stop();
  await bus.close();
  await database.close();
  await testDatabase.drop();
});

/** What the other services answer; undefined: nothing. */
function answerTo(type: string, sagaId: string): ExampleReply | undefined {
  switch (type) {
    case "ferry.banking.v1.VerifyAccountRequest":
      return answered("verify");
    case "ferry.ledger.v1.PlaceHoldRequest":
      return answered("placeHold");
    case "ferry.ledger.v1.ReleaseHoldRequest":
      return answered("releaseHold");
    case "ferry.ledger.v1.SettleHoldRequest":
      return answered("settle");
    case "ferry.banking.v1.InquirePaymentRequest":
      return bankSaid("inquire", "notFound");
    default:
      return silentOnce.delete(sagaId) ? undefined : bankSaid("send", refused.has(sagaId) ? "refused" : "done");
  }
}

function replyTo(command: ReturnType<typeof readHeaders>, value: Uint8Array | undefined) {
  const { id, type, sagaId = "", sagaStep, replyTo: topic = "" } = command;
  if (type === SendPaymentRequestSchema.typeName && value !== undefined)
    assert.equal(fromBinary(SendPaymentRequestSchema, value).reference, sagaId);
  const answer = answerTo(type, sagaId);
  const schema = schemas.get(answer?.reply.$typeName ?? "");
  if (answer === undefined || schema === undefined) return undefined;
  const facts = { id: `${id}:reply`, type: schema.typeName, source: "ferry/others", time: new Date() };
  const headers = writeHeaders({ ...facts, sagaId, sagaStep });
  return [{ topic, key: sagaId, value: toBinary(schema, answer.reply), headers }];
}

/** One life of a service that owns sagas. */
async function startLife() {
  const outbox = createOutbox({ database, bus, source: "ferry/transfer", logger: silentLogger });
  const engine = createSagaEngine({
    ...{ database, outbox, bus, definitions: [quick, together], replyTopic: REPLY_TOPIC, group: "transfer" },
    ...{ logger: silentLogger, parkAfterMs: 30_000, backoff: { firstMs: 20, maxMs: 100 } },
  });
  await outbox.start?.();
  await engine.start();
  return {
    engine,
    async stop() {
      await engine.stop();
      await outbox.stop?.();
    },
  };
}

test("over the outbox and the bus every saga ends as it should, also when the service is stopped midway", async () => {
  const ids = Array.from({ length: 200 }, () => newUuid());
  for (const id of ids.filter((_, index) => index % 5 === 0)) refused.add(id);
  for (const id of ids.filter((_, index) => index % 5 === 1)) silentOnce.add(id);
  const state: ExampleState = { accountId: newUuid(), amountMinor: 100n };
  let life = await startLife();
  await database.transaction((tx) =>
    life.engine.begin(
      tx,
      ids.map((id) => ({ id, definition: "send-money", state })),
    ),
  );
  await life.stop();
  life = await startLife();
  try {
    for (const startedAtMs = Date.now(); ; await pauseMs(20)) {
      const sagas = [...(await life.engine.find(database, ids)).values()];
      if (sagas.every(({ status }) => status === "completed" || status === "undone")) break;
      assert.ok(
        Date.now() - startedAtMs < PATIENCE_MS,
        writeJson(sagas.find(({ waiting }) => waiting.for !== "nothing")),
      );
    }
    const sagas = await life.engine.find(database, ids);
    for (const [index, id] of ids.entries()) {
      const saga = sagas.get(id);
      assert.equal(saga?.status, index % 5 === 0 ? "undone" : "completed");
      assert.equal(saga?.failure?.code, index % 5 === 0 ? "BANK_REFUSED" : undefined);
      assert.equal(saga?.steps[1]?.status, index % 5 === 0 ? "undone" : "done");
      assert.equal(saga?.steps[2]?.attempts, index % 5 === 1 ? 2 : 1);
    }
    assert.equal(silentOnce.size, 0);
  } finally {
    await life.stop();
  }
});

test("so do sagas whose steps run side by side, with other sagas among them", async () => {
  const ids = Array.from({ length: 60 }, () => newUuid());
  for (const id of ids.filter((_, index) => index % 3 === 0)) refused.add(id);
  for (const id of ids.filter((_, index) => index % 3 === 1)) silentOnce.add(id);
  const state: ExampleState = { accountId: newUuid(), amountMinor: 100n };
  let life = await startLife();
  const begun = ids.map((id) => ({ id, definition: "together", state }));
  await database.transaction((tx) => life.engine.begin(tx, begun));
  await life.stop();
  life = await startLife();
  try {
    const find = async () => [...(await life.engine.find(database, ids)).values()];
    for (const startedAtMs = Date.now(); ; await pauseMs(20)) {
      const sagas = await find();
      if (sagas.every(({ status }) => status === "completed" || status === "undone")) break;
      assert.ok(
        Date.now() - startedAtMs < PATIENCE_MS,
        writeJson(sagas.find(({ waiting }) => waiting.for !== "nothing")),
      );
    }
    const sagas = new Map((await find()).map((saga) => [saga.id, saga]));
    const children = await database.query<{ parent_id: string; status: string }>(
      "SELECT parent_id, status FROM saga WHERE parent_id IS NOT NULL",
    );
    assert.deepEqual(new Set(children.map((row) => row.parent_id)), new Set(ids));
    assert.equal(children.length, ids.length, "each begun once");
    assert.ok(children.every(({ status }) => status === "completed"));
    for (const [index, id] of ids.entries()) {
      const { status, steps: records = [] } = sagas.get(id) ?? {};
      const held = index % 3 === 0 ? "undone" : "done";
      assert.deepEqual([status, records[1]?.status], [index % 3 === 0 ? "undone" : "completed", held]);
      assert.equal(records[2]?.status, "done", "what another saga has done, and has no undo, stays");
    }
  } finally {
    await life.stop();
  }
});
