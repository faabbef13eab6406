// Over 300 lines because all of it stands on one engine, one database and one recording outbox.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as pauseMs } from "node:timers/promises";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createMemoryBus, type Envelope, type MemoryBus } from "@ferry/platform/events";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { newTraceparent, runInContext, silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { defineSaga } from "./define.ts";
import type { SagaDefinition } from "./definition.ts";
import { createSagaEngine, type SagaEngine, type SagaEngineOptions } from "./engine.ts";
import type { Saga } from "./saga.ts";
import { answered, bankSaid, type ExampleReply, type ExampleState, exampleSaga } from "./send-money.example.ts";
import { sagaMigrations } from "./store.ts";

const REPLY_TOPIC = "ferry.transfer.replies.v1";
const TIMEOUT_MS = 100;
/** The example with short times, so that tests need not wait for long. */
const quick = defineSaga<ExampleState>(
  "send-money",
  1,
  exampleSaga.steps.map((step) => ({ ...step, timeoutMs: TIMEOUT_MS })),
);

/** Stands where the outbox does: what was committed, in order; a test says what the broker has. */
interface RecordingOutbox extends Outbox {
  sent: OutgoingMessage[];
  acknowledged: bigint;
}

function createRecordingOutbox(): RecordingOutbox {
  const outbox: RecordingOutbox = {
    sent: [],
    acknowledged: 2n ** 62n,
    add: async (tx, messages) => tx.afterCommit(() => void outbox.sent.push(...messages)),
    acknowledgedBelow: async () => outbox.acknowledged,
  };
  return outbox;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const startedAtMs = Date.now(); !(await holds()); await pauseMs(10))
    if (Date.now() - startedAtMs > 30_000) throw new Error(`waited too long until ${what}`);
}

let testDatabase: TestDatabase;
let database: Database;
let bus: MemoryBus;
const engines: SagaEngine[] = [];

before(async () => {
  testDatabase = await createTestDatabase({ name: "saga", run: (url) => migrate(url, [sagaMigrations]) });
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  bus = createMemoryBus();
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop();
  await database.query("TRUNCATE saga, saga_audit, saga_stray_reply");
});
after(async () => {
  await bus.close();
  await database.close();
  await testDatabase.drop();
});

function createEngine(outbox: Outbox, options: Partial<SagaEngineOptions> = {}): SagaEngine {
  const engine = createSagaEngine({
    ...{ database, outbox, bus, definitions: [quick], replyTopic: REPLY_TOPIC, group: newUuid() },
    ...{ logger: silentLogger, parkAfterMs: 300, backoff: { firstMs: 20, maxMs: 50 } },
    ...options,
  });
  engines.push(engine);
  return engine;
}

async function begin(engine: SagaEngine, count = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newUuid());
  const state: ExampleState = { accountId: "a", amountMinor: 12_345_678_901_234_567_890n };
  await database.transaction((tx) =>
    engine.begin(
      tx,
      ids.map((id) => ({ id, definition: "send-money", state })),
    ),
  );
  return ids;
}

function envelope(sagaId: string, { step, reply }: ExampleReply): Envelope<ExampleReply["reply"]> {
  return { id: newUuid(), type: reply.$typeName, key: sagaId, message: reply, sagaId, sagaStep: step };
}

async function reply(engine: SagaEngine, ids: readonly string[], ...replies: ExampleReply[]): Promise<void> {
  for (const each of replies) await engine.handleReplies(ids.map((id) => envelope(id, each)));
}

async function sagaOf(engine: SagaEngine, id: string): Promise<Saga> {
  const saga = (await engine.find(database, [id])).get(id);
  assert.ok(saga);
  return saga;
}

const HELD = [answered("verify"), answered("placeHold")];
const ALL = [...HELD, bankSaid("send", "done"), answered("settle")];

describe("what a process remembers of its sagas", () => {
  test("two instances that take turns with the same sagas each see what the other did", async () => {
    const outbox = createRecordingOutbox();
    const [one, other] = [createEngine(outbox), createEngine(outbox)];
    const ids = await begin(one, 20);
    for (const [index, each] of ALL.entries()) await reply(index % 2 === 0 ? other : one, ids, each);
    for (const id of ids) assert.equal((await sagaOf(one, id)).status, "completed");
    assert.equal(outbox.sent.length, 80);
  });

  test("a reply that is of no use to what is remembered is of use to what the saga is now", async () => {
    const outbox = createRecordingOutbox();
    const [one, other] = [createEngine(outbox), createEngine(outbox)];
    const ids = await begin(one, 2);
    await reply(other, ids, answered("verify")); // What the first remembers waits for this one still,
    await reply(one, ids, answered("placeHold")); // and does not know what to do with the next.
    assert.equal((await sagaOf(one, ids[0]!)).step, 2);
  });

  test("a set of which one saga has changed elsewhere is taken on whole, and once", async () => {
    const outbox = createRecordingOutbox();
    const [one, other] = [createEngine(outbox), createEngine(outbox)];
    const ids = await begin(one, 5);
    assert.equal(await database.transaction((tx) => other.cancel(tx, ids[2]!)), "canceling");
    await reply(one, ids, answered("verify"));
    const sagas = await Promise.all(ids.map((id) => sagaOf(one, id)));
    assert.deepEqual(
      sagas.map(({ status, step }) => [status, step]),
      ids.map((_, index) => (index === 2 ? ["undone", 0] : ["running", 1])),
    );
    assert.equal(outbox.sent.length, 5 + 4);
  });
});

describe("replies", () => {
  test("a set of sagas goes its way in sets, and its owner hears of each set in the transaction", async () => {
    const outbox = createRecordingOutbox();
    const heard: [count: number, statuses: string[]][] = [];
    const engine = createEngine(outbox, {
      onChange: async (tx, changes) => {
        await tx.query("SELECT 1");
        heard.push([changes.length, [...new Set(changes.map((change) => change.after.status))]]);
      },
    });
    const ids = await begin(engine, 300);
    assert.equal(outbox.sent.length, 300);
    await reply(engine, ids, ...ALL);
    assert.deepEqual(heard, [
      ...[
        [300, ["running"]],
        [300, ["running"]],
        [300, ["running"]],
      ],
      [300, ["completed"]],
    ]);
    assert.equal(outbox.sent.length, 1_200);
    const saga = await sagaOf(engine, ids[7] as string);
    assert.deepEqual(saga.state, { accountId: "a", amountMinor: 12_345_678_901_234_567_890n, verified: true });
    assert.deepEqual(
      saga.steps.map(({ status }) => status),
      ["done", "done", "done", "done"],
    );
    const [first] = outbox.sent;
    assert.equal(first?.id, `${ids[0]}:verify-account:ask:1`);
    assert.equal(first?.replyTo, REPLY_TOPIC);
    assert.equal(first?.ttlMs, TIMEOUT_MS);
  });

  test("duplicates in one set, in any set, and after the end change nothing", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    const [id = ""] = await begin(engine);
    for (const each of ALL) await engine.handleReplies([envelope(id, each), envelope(id, each)]);
    const ended = await sagaOf(engine, id);
    assert.equal(ended.status, "completed");
    await reply(engine, [id], ...ALL);
    assert.deepEqual(await sagaOf(engine, id), ended);
    assert.equal(outbox.sent.length, 4);
  });

  test("what the owner cannot write is not done: no row, no command", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox, { onChange: () => Promise.reject(new Error("no")) });
    const [id = ""] = await begin(engine);
    const before = await sagaOf(engine, id);
    await assert.rejects(reply(engine, [id], answered("verify")), /^Error: no$/);
    assert.deepEqual(await sagaOf(engine, id), before);
    assert.equal(outbox.sent.length, 1);
  });

  test("replies for unknown sagas are kept, each once, and hold nobody up", async () => {
    const engine = createEngine(createRecordingOutbox());
    const [id = ""] = await begin(engine);
    const stray = envelope(newUuid(), bankSaid("send", "done"));
    const without = { ...envelope(id, answered("settle")), sagaId: undefined };
    const mine = envelope(id, answered("verify"));
    await engine.handleReplies([stray, without, mine]);
    await engine.handleReplies([stray]);
    assert.equal((await sagaOf(engine, id)).step, 1);
    const kept = await database.query("SELECT message_id, saga_id, type FROM saga_stray_reply ORDER BY saga_id");
    assert.deepEqual(kept, [
      { message_id: stray.id, saga_id: stray.sagaId, type: "ferry.banking.v1.SendPaymentResponse" },
      { message_id: without.id, saga_id: null, type: "ferry.ledger.v1.SettleHoldResponse" },
    ]);
  });

  test("a definition that throws parks its saga, and the others of the set go on", async () => {
    const failing: SagaDefinition<ExampleState> = {
      ...quick,
      steps: quick.steps.map((step) => ({
        ...step,
        ask: {
          ...step.ask,
          answer: (message, saga) => {
            if (saga.id === bad) throw new Error("bug");
            return step.ask.answer(message, saga);
          },
        },
      })),
    };
    const engine = createEngine(createRecordingOutbox(), { definitions: [failing] });
    const [bad = "", good = ""] = await begin(engine, 2);
    await reply(engine, [bad, good], answered("verify"));
    assert.equal((await sagaOf(engine, bad)).failure?.code, "INTERNAL");
    assert.equal((await sagaOf(engine, good)).step, 1);
  });

  test("commands carry the trace that the saga began in, whoever sends them", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    const traceparent = newTraceparent();
    const ids = await runInContext({ traceparent }, () => begin(engine));
    await runInContext({ traceparent: newTraceparent() }, () => reply(engine, ids, ...HELD));
    assert.deepEqual(
      outbox.sent.map((message) => message.traceparent),
      [traceparent, traceparent, traceparent],
    );
  });
});

describe("time", () => {
  test("a saga that goes on is not written into the index of what must be looked at, until its first look has come", async () => {
    const engine = createEngine(createRecordingOutbox(), { parkAfterMs: 60_000 }); // What is parked has no next look.
    const [id] = (await begin(engine)) as [string];
    const lookAt = async () =>
      (await database.query<{ look_at: Date | null }>("SELECT look_at FROM saga WHERE id = $1", [id]))[0]?.look_at;
    const first = await lookAt();
    await reply(engine, [id], ...HELD);
    assert.deepEqual(await lookAt(), first);
    await engine.start();
    await until("it was looked at", async () => ((await lookAt()) ?? 0) > (first ?? 0));
    await reply(engine, [id], bankSaid("send", "done"), answered("settle"));
    assert.equal(await lookAt(), null);
    assert.equal((await sagaOf(engine, id)).status, "completed");
  });

  test("a command that the broker does not have is not timed out, however long that takes", async () => {
    const outbox = createRecordingOutbox();
    outbox.acknowledged = 0n;
    const engine = createEngine(outbox);
    await engine.start();
    const [id = ""] = await begin(engine);
    const first = await sagaOf(engine, id);
    const dueOf = (saga: Saga) => (saga.waiting.for === "reply" ? saga.waiting.dueAtMs : 0);
    await until("its clock was started anew three times", async () => {
      return dueOf(await sagaOf(engine, id)) >= dueOf(first) + 3 * TIMEOUT_MS;
    });
    assert.equal((await sagaOf(engine, id)).attempts, 1);
    assert.equal(outbox.sent.length, 1);
    outbox.acknowledged = 2n ** 62n;
    await until("it was asked again", () => outbox.sent.length === 2);
    assert.equal(outbox.sent[1]?.id, `${id}:verify-account:ask:2`);
  });

  test("only what was acknowledged is timed out", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    const [early = ""] = await begin(engine);
    const [row] = await database.query<{ xid: string }>("SELECT command_xid::text AS xid FROM saga");
    const [late = ""] = await begin(engine);
    outbox.acknowledged = BigInt(row?.xid ?? 0) + 1n;
    await engine.start();
    await until("the first was asked again", () => outbox.sent.length > 2);
    assert.ok(outbox.sent.slice(2).every(({ sagaId }) => sagaId === early));
    assert.equal((await sagaOf(engine, late)).attempts, 1);
  });

  test("what never answers is undone, and its undo that never answers is parked", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    const [id = ""] = await begin(engine);
    await reply(engine, [id], answered("verify"));
    await engine.start(); // Only now, or a reply that is slow would find its step given up.
    await until("it was parked", async () => (await sagaOf(engine, id)).status === "parked");
    const saga = await sagaOf(engine, id);
    assert.equal(saga.failure?.code, "STEP_TIMED_OUT");
    assert.equal(saga.steps[1]?.status, "undoing");
    assert.ok(outbox.sent.some((message) => message.id === `${id}:place-hold:undo:1`));
  });

  test("after a crash another engine on the same database goes on", async () => {
    const dead = createEngine(createRecordingOutbox());
    const ids = await begin(dead, 20);
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    await engine.start();
    await until("all were asked again", () => outbox.sent.length >= 20);
    assert.deepEqual(new Set(outbox.sent.map(({ id }) => id)), new Set(ids.map((id) => `${id}:verify-account:ask:2`)));
    await engine.stop(); // It times nothing out any more, however slow the replies are.
    await reply(engine, ids, ...ALL);
    const ended = await engine.find(database, ids);
    assert.ok(ids.every((id) => ended.get(id)?.status === "completed"));
  });

  test("an engine that is idle finds what another began and left", async () => {
    const outbox = createRecordingOutbox();
    const idle = createEngine(outbox, { pollMs: 1_000 });
    await idle.start();
    const [id = ""] = await begin(createEngine(createRecordingOutbox()));
    await until("it was asked again", () => outbox.sent.length > 0);
    assert.equal(outbox.sent[0]?.id, `${id}:verify-account:ask:2`);
  });

  test("two engines at once do each time-out once, more than one chunk of them", async () => {
    const outbox = createRecordingOutbox();
    const [one, other] = [createEngine(outbox), createEngine(outbox)];
    const ids = await begin(one, 500);
    await Promise.all([one.start(), other.start()]);
    const undone = async () => [...(await one.find(database, ids)).values()].every(({ status }) => status === "undone");
    await until("all gave up", undone);
    await Promise.all([one.stop(), other.stop()]); // The one may not have heard yet that its commit came before the other's.
    assert.equal(outbox.sent.length, 500 * 4, "four attempts each");
    assert.equal(new Set(outbox.sent.map(({ id }) => id)).size, outbox.sent.length);
  });
});

describe("cancel", () => {
  test("says what came of it", async () => {
    const outbox = createRecordingOutbox();
    const changes: string[] = [];
    const engine = createEngine(outbox, {
      onChange: async (_, set) => void changes.push(...set.map(({ after }) => after.status)),
    });
    const cancel = (id: string) => database.transaction((tx) => engine.cancel(tx, id));
    const [first = "", second = "", third = "", fourth = ""] = await begin(engine, 4);
    await reply(engine, [second, third], answered("verify"));
    await reply(engine, [fourth], answered("verify", "BANK_ACCOUNT_CLOSED"));
    await reply(engine, [third], answered("placeHold"));
    changes.length = 0;
    assert.equal(await cancel(first), "canceling");
    assert.equal(await cancel(first), "canceling");
    assert.equal(await cancel(fourth), "ended");
    assert.equal(await cancel(second), "canceling");
    assert.equal(await cancel(second), "canceling");
    assert.equal(await cancel(third), "too-late");
    assert.equal(await cancel(newUuid()), "unknown");
    assert.deepEqual(changes, ["undone", "undoing"]);
    assert.equal(outbox.sent.at(-1)?.id, `${second}:place-hold:undo:1`);
  });
});

describe("operators", () => {
  const decision = { operatorId: "operator-1", reason: "the bank said so on the telephone" };

  async function parked(engine: SagaEngine, count = 1): Promise<string[]> {
    const ids = await begin(engine, count);
    await reply(engine, ids, ...HELD);
    await engine.start(); // Only now, or replies that are slow would find their steps given up.
    await until("they were parked", async () => (await engine.listParked(database, 100)).length === count);
    return ids;
  }

  test("list, resume, undo, skip, and every decision is in the audit log", async () => {
    const outbox = createRecordingOutbox();
    const engine = createEngine(outbox);
    const [one = "", two = "", three = ""] = await parked(engine, 3);
    assert.equal((await engine.operate("resume", one, decision)).status, "running");
    assert.equal((await engine.operate("undo", two, decision)).waiting.for, "reply");
    assert.match(outbox.sent.at(-1)?.id ?? "", new RegExp(`^${two}:send:void:`), "its pivot is voided first");
    assert.equal((await engine.operate("skip", three, decision)).step, 3);
    await reply(engine, [one], bankSaid("inquire", "done"));
    await reply(engine, [one, three], answered("settle"));
    await reply(engine, [two], bankSaid("void", "voided"), answered("releaseHold"));
    const sagas = await engine.find(database, [one, two, three]);
    const statuses = [one, two, three].map((id) => sagas.get(id)?.status);
    assert.deepEqual(statuses, ["completed", "undone", "completed"]);
    assert.deepEqual(await engine.listParked(database, 100), []);
    const audit = await database.query(
      `SELECT saga_id, operator_id, action, reason, before->>'status' AS before, after->>'status' AS after,
         (after->>'revision')::integer - (before->>'revision')::integer AS revisions
       FROM saga_audit ORDER BY action`,
    );
    const entry = { operator_id: decision.operatorId, reason: decision.reason, before: "parked", revisions: 1 };
    assert.deepEqual(audit, [
      { saga_id: one, action: "resume", after: "running", ...entry },
      { saga_id: three, action: "skip", after: "running", ...entry },
      { saga_id: two, action: "undo", after: "running", ...entry },
    ]);
  });

  test("pages through parked sagas", async () => {
    const engine = createEngine(createRecordingOutbox());
    await parked(engine, 5);
    const seen: string[] = [];
    for (let page = await engine.listParked(database, 2); page.length > 0; ) {
      seen.push(...page.map(({ id }) => id));
      const { id, waiting } = page.at(-1) as Saga;
      const parkedAtMs = waiting.for === "operator" ? waiting.sinceMs : 0;
      page = await engine.listParked(database, 2, { parkedAtMs, id });
    }
    assert.equal(seen.length, 5);
    assert.equal(new Set(seen).size, 5);
  });

  test("decide about parked sagas only", async () => {
    const engine = createEngine(createRecordingOutbox());
    const [id = ""] = await begin(engine);
    const refused = (reason: string) => (error: unknown) => error instanceof FerryError && error.reason === reason;
    await assert.rejects(engine.operate("resume", id, decision), refused("SAGA_NOT_PARKED"));
    await assert.rejects(engine.operate("resume", newUuid(), decision), refused("NOT_FOUND"));
  });

  test("a version that this server does not know is parked, and goes on where it is known", async () => {
    const newer = defineSaga<ExampleState>("send-money", 2, quick.steps);
    const both = createEngine(createRecordingOutbox(), { definitions: [newer, quick] });
    const [id = ""] = await begin(both);
    assert.equal((await sagaOf(both, id)).version, 2);
    const older = createEngine(createRecordingOutbox());
    await reply(older, [id], answered("verify"));
    const saga = await sagaOf(older, id);
    assert.equal(saga.status, "parked");
    assert.equal(saga.failure?.code, "SAGA_VERSION_UNKNOWN");
    await assert.rejects(older.operate("resume", id, decision), /does not know version 2/);
    assert.equal((await both.operate("resume", id, decision)).status, "running");
    await reply(both, [id], ...ALL);
    assert.equal((await sagaOf(both, id)).status, "completed");
  });
});
