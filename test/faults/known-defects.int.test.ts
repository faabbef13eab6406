// Defects that others have had, each as a small test at the lowest level at which it could come back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PlaceHoldResponseSchema, SettleHoldResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { type Bus, createMemoryBus, type MemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createSagaEngine, defineSaga, pivot, sagaMigrations, step } from "@ferry/platform/saga";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { deleteOld } from "../../platform/outbox/store.ts";
import { moveMoney } from "../../services/transfer/sagas/send-money.ts";
import { PATIENT } from "../support/patient.ts";
import { waitFor } from "../support/platform.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type House, startHouse } from "./house.ts";

let house: House;
/** Whether the ledger's answers to holds are lost on their way. */
let losingHolds = 0;
const isHold = ({ headers }: { headers: Readonly<Record<string, string>> }) =>
  headers.ce_type === PlaceHoldResponseSchema.typeName;

function losesHolds(bus: MemoryBus): Bus {
  return {
    ...bus,
    publish(records) {
      const lost = losingHolds > 0 ? records.filter(isHold) : [];
      losingHolds -= lost.length;
      return bus.publish(records.filter((record) => !lost.includes(record)));
    },
  };
}

before(async () => {
  house = await startHouse({ busOf: (name, bus) => (name === "ledger" ? losesHolds(bus) : bus) });
});
after(() => house.stop());

const idOf = ({ transfer }: Awaited<ReturnType<House["send"]>>) => transfer!.id;

test("in-flight debits overspend: of six of 1,000 at once on 5,000, five are paid", async () => {
  const payer = await house.open(5_000n);
  const ids = await Promise.all(Array.from({ length: 6 }, async () => idOf(await house.send(payer, "1234", 1_000n))));
  assert.deepEqual(await house.ended(ids), { COMPLETED: 5, FAILED: 1 });
  await house.expectMoneyRight();
});

test("a negative balance by check and then act: of 40 that each spend it all, one is paid", async () => {
  const payer = await house.open(700n);
  const ids = await Promise.all(Array.from({ length: 40 }, async () => idOf(await house.send(payer, "1234", 700n))));
  assert.deepEqual(await house.ended(ids), { COMPLETED: 1, FAILED: 39 });
  const [account] = await house.databases.ledger.query("SELECT balance, held FROM account WHERE id = $1", [payer.id]);
  assert.deepEqual(account, { balance: 0n, held: 0n });
  await house.expectMoneyRight();
});

test("duplicate ids under concurrency: 400 requests at once are 400 transfers, and one key is one", async () => {
  const payer = await house.open(100_000n);
  const key = newUuid();
  const sent = await Promise.all(
    Array.from({ length: 400 }, (_, index) => house.send(payer, "1234", 3n, index % 8 === 0 ? { key } : {})),
  );
  const ids = sent.map(idOf);
  assert.equal(new Set(ids).size, 351);
  assert.equal(sent.filter(({ replayed }) => replayed).length, 49);
  assert.deepEqual(await house.ended(ids, 60_000), { COMPLETED: 351 });
  await house.expectMoneyRight();
});

test("a double payment by retry: the bank is late, the client asks again and again, and it is paid once", async () => {
  const payer = await house.open(1_000n);
  const key = newUuid();
  const sent = await Promise.all(Array.from({ length: 20 }, () => house.send(payer, "9504", 400n, { key })));
  assert.equal(new Set(sent.map(idOf)).size, 1);
  assert.deepEqual(await house.ended([idOf(sent[0]!)]), { COMPLETED: 1 });
  assert.equal(idOf(await house.send(payer, "9504", 400n, { key })), idOf(sent[0]!), "also after the end");
  const [account] = await house.databases.ledger.query("SELECT balance FROM account WHERE id = $1", [payer.id]);
  assert.deepEqual(account, { balance: 600n });
  await house.expectMoneyRight();
});

/** The real way of a transfer within the platform, with a patience of tests. */
function impatient() {
  const [hold, settle] = moveMoney.steps;
  assert.ok(hold?.undo !== undefined && settle !== undefined);
  return defineSaga("impatient", 1, [
    step("place-hold", { ask: hold.ask, undo: hold.undo, timeoutMs: 300, retries: 0 }),
    pivot("settle", { ask: settle.ask, timeoutMs: 300 }),
  ]);
}

test("a time-out that does not give back a position: the hold was placed, nobody heard of it, and it is released", async () => {
  const made = await createTestDatabase({
    name: "known_defects",
    run: (url) => migrate(url, [outboxMigrations, sagaMigrations]),
  });
  const database = openDatabase({ url: made.url, ...PATIENT });
  const { bus } = house;
  const outbox = createOutbox({ database, bus, source: "ferry/payment", logger });
  const engine = createSagaEngine({
    ...{ database, bus, outbox, logger, group: "impatient", replyTopic: "ferry.impatient.replies.v1" },
    definitions: [impatient()],
  });
  await outbox.start();
  await engine.start();
  try {
    const [payer, payee] = [await house.open(500n), await house.open(0n)];
    losingHolds = 1;
    const id = newUuid();
    const destination = { kind: "account", accountId: payee.id };
    const state = {
      memberId: payer.ownerId,
      sourceAccountId: payer.id,
      destination,
      currency: "EUR",
      amountMinor: 500n,
      memo: "",
    };
    await database.transaction((tx) => engine.begin(tx, [{ id, definition: "impatient", state }]));
    const saga = await waitFor("the saga to end", async () => {
      const found = (await engine.find(database, [id])).get(id);
      return found?.status === "running" || found?.status === "undoing" ? undefined : found;
    });
    assert.equal(losingHolds, 0, "the fault did not bite");
    assert.deepEqual([saga.status, saga.failure?.code], ["undone", "STEP_TIMED_OUT"]);
    const [account] = await house.databases.ledger.query("SELECT balance, held FROM account WHERE id = $1", [payer.id]);
    assert.deepEqual(account, { balance: 500n, held: 0n }, "the position was not given back");
  } finally {
    await engine.stop();
    await outbox.stop();
    await database.close();
    await made.drop();
  }
});

const message = (key: string, id: string) => ({
  ...{ schema: SettleHoldResponseSchema, message: create(SettleHoldResponseSchema, { transferId: key }) },
  ...{ topic: "ferry.transfer.replies.v1", id },
});

async function withOutboxes(work: (database: Database, bus: MemoryBus) => Promise<void>): Promise<void> {
  const made = await createTestDatabase({ name: "outbox", run: (url) => migrate(url, [outboxMigrations]) });
  const [database, bus] = [openDatabase({ url: made.url, ...PATIENT }), createMemoryBus()];
  try {
    await work(database, bus);
  } finally {
    await database.close();
    await made.drop();
  }
}

test("an outbox row deleted while Kafka is away: a week later it is still there, and is published", () =>
  withOutboxes(async (database, bus) => {
    let refused = 0;
    let away = true;
    const publish: Bus["publish"] = (records) => {
      if (!away) return bus.publish(records);
      refused++;
      return Promise.reject(new FerryError("UNAVAILABLE", "the broker is away"));
    };
    const outbox = createOutbox({ database, bus: { publish }, source: "ferry/test", logger });
    await outbox.start();
    await waitFor("the lock", () => outbox.stats().relaying);
    await database.transaction((tx) => outbox.add(tx, [message("a", "1"), message("b", "2")]));
    await waitFor("the broker to be away", () => refused > 1);
    await database.query("UPDATE outbox SET created_at = now() - interval '8 days'");
    assert.equal(await deleteOld(database, await outbox.acknowledgedBelow(), 7, 1_000), 0);
    away = false;
    await waitFor("both", () => bus.records("ferry.transfer.replies.v1").length === 2);
    await waitFor(
      "the row to be old",
      async () => (await deleteOld(database, await outbox.acknowledgedBelow(), 7, 1_000)) === 1,
    );
    await outbox.stop();
  }));

test("per-key order broken by SKIP LOCKED: instances write side by side and take turns in publishing, and every key keeps its order", () =>
  withOutboxes(async (database, bus) => {
    const make = () => createOutbox({ database, bus, source: "ferry/test", logger });
    let [first, second] = [make(), make()];
    await first.start();
    await second.start();
    const keys = ["a", "b", "c", "d", "e"];
    const next = new Map(keys.map((key) => [key, 0]));
    let handOvers = 0;
    // A key's messages come from one instance, also when others publish them; across instances their version tells the order.
    const writers = keys.map((_, lane) => (lane % 2 === 0 ? first : second));
    await Promise.all(
      keys.map(async (key, lane) => {
        const writer = writers[lane]!;
        for (let count = 0; count < 60; count++) {
          const number = next.get(key)!;
          next.set(key, number + 1);
          await database.transaction((tx) => writer.add(tx, [message(key, `${key}:${number}`)]));
          if (lane === 0 && count % 20 === 19) {
            const left = first;
            first = second;
            second = make();
            await second.start();
            await left.stop();
            handOvers++;
          }
          await turn();
        }
      }),
    );
    const records = () => bus.records("ferry.transfer.replies.v1");
    await waitFor("all of them", () => new Set(records().map(({ headers }) => headers.ce_id)).size === 300);
    await first.stop();
    await second.stop();
    assert.equal(handOvers, 3, "the fault did not bite");
    for (const key of keys) {
      const seen = [
        ...new Set(
          records()
            .filter((record) => record.key === key)
            .map(({ headers }) => headers.ce_id),
        ),
      ];
      assert.deepEqual(
        seen,
        Array.from({ length: 60 }, (_, number) => `${key}:${number}`),
      );
    }
  }));
