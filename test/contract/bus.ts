import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { PlaceHoldResponseSchema, SettleHoldResponseSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import {
  type Bus,
  consume,
  deadLetterTopic,
  type Envelope,
  type OutgoingRecord,
  type ReceivedRecord,
  type SubscribeOptions,
  writeHeaders,
} from "@ferry/platform/events";
import { newTraceparent } from "@ferry/platform/telemetry";

const PATIENCE_MS = 20_000;

/** Waits until something holds. @throws AssertionError when it does not in time. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, withinMs = PATIENCE_MS) {
  for (const endMs = Date.now() + withinMs; !(await holds()); await delay(5))
    if (Date.now() > endMs) assert.fail(`not within ${withinMs} ms: ${what}`);
}

const fresh = (name: string): string => `test.${name}.${randomUUID().slice(0, 8)}`;
const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();
const records = (topic: string, count: number, key = (index: number) => `key-${index % 7}`): OutgoingRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ topic, key: key(index), value: Buffer.from(String(index)), headers: { number: String(index) } },
  }));

interface OnBus {
  bus: Bus;
}

/** Subscribes and keeps what the handler has taken. */
async function collect(bus: Bus, options: Partial<SubscribeOptions> & { topics: readonly string[] }) {
  const taken: ReceivedRecord[] = [];
  const sets: ReceivedRecord[][] = [];
  const subscription = await bus.subscribe({
    group: fresh("group"),
    ...options,
    async handle(set) {
      await options.handle?.(set);
      sets.push([...set]);
      taken.push(...set);
    },
  });
  return { taken, sets, subscription, stop: () => subscription.stop() };
}

/** What goes in comes out. */
function delivery(on: OnBus): void {
  test("what is published is received, with key, value and headers", async () => {
    const topic = fresh("round");
    const { taken, subscription } = await collect(on.bus, { topics: [topic] });
    assert.equal(subscription.unready(), undefined);
    const headers = { ce_id: "é", empty: "" };
    await on.bus.publish([{ topic, key: "a", value: Buffer.from([0, 255, 7]), headers }]);
    await until(() => taken.length === 1, "one record");
    const [{ key, value, headers: got, offset, topic: from }] = taken as [ReceivedRecord];
    assert.deepEqual(
      { key, value: [...value!], got, offset, from },
      {
        ...{ key: "a", value: [0, 255, 7], got: headers, offset: 0n, from: topic },
      },
    );
    await subscription.stop();
    assert.equal(subscription.unready(), "stopped");
  });

  test("10,000 messages go in and out, each once, in order per key", async () => {
    const topic = fresh("many");
    const { taken, sets, stop } = await collect(on.bus, { topics: [topic], maxMessages: 500 });
    const all = records(topic, 10_000);
    for (let from = 0; from < all.length; from += 2_500) await on.bus.publish(all.slice(from, from + 2_500));
    await until(() => taken.length >= all.length, "all messages");
    await stop();
    assert.equal(new Set(taken.map(({ value }) => text(value))).size, all.length);
    assert.equal(taken.length, all.length);
    for (let key = 0; key < 7; key++) {
      const numbers = taken.filter((record) => record.key === `key-${key}`).map(({ value }) => Number(text(value)));
      assert.deepEqual(
        numbers,
        numbers.toSorted((one, other) => one - other),
      );
    }
    assert.ok(Math.max(...sets.map((set) => set.length)) <= 500, "a set is above its limit");
  });

  test("a new group starts at the earliest message, and a set spans partitions", async () => {
    const topic = fresh("earliest");
    await on.bus.publish(records(topic, 60, (index) => `key-${index}`));
    const { taken, sets, stop } = await collect(on.bus, { topics: [topic] });
    await until(() => taken.length === 60, "what was there before");
    await stop();
    const spans = sets.map((set) => new Set(set.map(({ partition }) => partition)).size);
    assert.equal(Math.max(...spans), 3);
  });
}

/** A group remembers where it was, and its members share. */
function groups(on: OnBus): void {
  test("offsets are committed after the handler: a group goes on where it was", async () => {
    const topic = fresh("offsets");
    const group = fresh("group");
    await on.bus.publish(records(topic, 10));
    const first = await collect(on.bus, { topics: [topic], group });
    await until(() => first.taken.length === 10, "the first ten");
    await first.stop();
    await on.bus.publish(records(topic, 3));
    const second = await collect(on.bus, { topics: [topic], group });
    await until(() => second.taken.length >= 3, "the next three");
    await second.stop();
    assert.equal(second.taken.length, 3);
  });

  test("two members share the partitions; when one leaves, the other takes all", async () => {
    const topic = fresh("share");
    const group = fresh("group");
    const one = await collect(on.bus, { topics: [topic], group });
    const two = await collect(on.bus, { topics: [topic], group });
    let sent = 0;
    await until(async () => {
      await on.bus.publish(records(topic, 30, (index) => `${sent}-${index}`));
      sent += 30;
      return one.taken.length > 0 && two.taken.length > 0;
    }, "both have something");
    await two.stop();
    const before = two.taken.length;
    await on.bus.publish(records(topic, 30, (index) => `last-${index}`));
    const lastOnes = () => one.taken.map(({ key }) => key).filter((key) => key?.startsWith("last-"));
    await until(() => new Set(lastOnes()).size === 30, "one takes over"); // What a change of members cut off comes twice.
    await one.stop();
    assert.equal(two.taken.length, before);
    const places = new Set([...one.taken, ...two.taken].map((record) => `${record.partition}/${record.offset}`));
    assert.equal(places.size, sent + 30);
  });

  test("ensureTopics can be called for topics that are there", async () => {
    const topic = fresh("ensure");
    await on.bus.ensureTopics([{ name: topic, partitions: 5 }]);
    await on.bus.ensureTopics([{ name: topic }, { name: topic }]);
    const { taken, stop } = await collect(on.bus, { topics: [topic] });
    await on.bus.publish(records(topic, 100, (index) => `key-${index}`));
    await until(() => taken.length === 100, "all");
    await stop();
    assert.equal(new Set(taken.map(({ partition }) => partition)).size, 5);
  });
}

/** Nothing is lost by a failure, and nothing holds up the rest for ever. */
function failures(on: OnBus): void {
  test("after a retryable failure the same set comes again, and nothing goes to the dead letters", async () => {
    const topic = fresh("retry");
    const seen: string[][] = [];
    let noticed = false;
    const { taken, sets, subscription } = await collect(on.bus, {
      topics: [topic],
      async handle(set) {
        seen.push(set.map(({ value }) => text(value)));
        if (seen.length < 4 || !noticed) throw new FerryError("UNAVAILABLE", "not now");
      },
    });
    await on.bus.publish(records(topic, 5, () => "one"));
    await until(() => (noticed ||= subscription.unready()?.includes("not now") === true), "unready says why");
    await until(() => taken.length === 5, "the set");
    await until(() => subscription.unready() === undefined, "ready again");
    await subscription.stop();
    assert.equal(sets.length, 1);
    assert.deepEqual(new Set(seen.map((set) => set.join())).size, 1);
    const dead = await collect(on.bus, { topics: [deadLetterTopic(topic)] });
    await on.bus.publish(records(deadLetterTopic(topic), 1));
    await until(() => dead.taken.length > 0, "the only one among the dead letters");
    await dead.stop();
    assert.equal(dead.taken.length, 1);
  });

  test("a set that is given up is not committed: another member sees it again", async () => {
    const topic = fresh("crash");
    const group = fresh("group");
    let tries = 0;
    const first = await collect(on.bus, {
      ...{ topics: [topic], group },
      async handle() {
        tries++;
        throw new FerryError("UNAVAILABLE", "the database is away");
      },
    });
    await on.bus.publish(records(topic, 20));
    await until(() => tries > 0, "a try");
    await first.stop();
    assert.equal(first.taken.length, 0);
    const second = await collect(on.bus, { topics: [topic], group });
    await until(() => second.taken.length === 20, "all of it");
    await second.stop();
  });

  test("a set that fails for good is halved until the culprit is alone in the dead letters", async () => {
    const topic = fresh("poison");
    const bad = new Set(["3", "12"]);
    const handled = new Set<string>();
    const reader = await collect(on.bus, {
      topics: [topic],
      async handle(set) {
        if (set.some(({ value }) => bad.has(text(value)))) throw new Error("cannot ever be handled");
        for (const { value } of set) handled.add(text(value));
      },
    });
    await on.bus.publish(records(topic, 16));
    const dead = await collect(on.bus, { topics: [deadLetterTopic(topic)] });
    await until(() => dead.taken.length === 2 && handled.size === 14, "two dead, fourteen handled");
    await reader.stop();
    await dead.stop();
    const { headers, key } = dead.taken.find(({ value }) => text(value) === "3")!;
    assert.match(headers.dlq_error ?? "", /cannot ever be handled/);
    assert.equal(headers.dlq_topic, topic);
    assert.match(`${headers.dlq_partition}/${headers.dlq_offset}`, /^[0-2]\/\d+$/);
    assert.deepEqual([headers.number, key], ["3", "key-3"]);
  });
}

/** Messages and what travels beside them. */
function envelopes(on: OnBus): void {
  test("consume decodes messages with what travels beside them", async () => {
    const topic = fresh("consume");
    const got: Envelope<{ $typeName: string }>[] = [];
    const schemas = [PlaceHoldResponseSchema, SettleHoldResponseSchema] as const;
    const handle = async (set: readonly Envelope<{ $typeName: string }>[]) => void got.push(...set);
    const subscription = await consume(on.bus, { group: fresh("group"), topics: [topic], schemas, handle });
    const facts = { id: "m-1", type: SettleHoldResponseSchema.typeName, source: "ferry/ledger", time: new Date() };
    const traceparent = newTraceparent(true);
    const expiresAt = new Date("2031-02-03T04:05:06.789Z");
    const beside = {
      traceparent,
      sagaId: "saga-1",
      sagaStep: "settle",
      replyTo: "ferry.transfer.replies.v1",
      expiresAt,
    };
    const message = create(SettleHoldResponseSchema, { transferId: "t-1" });
    const value = toBinary(SettleHoldResponseSchema, message);
    await on.bus.publish([{ topic, key: "t-1", value, headers: writeHeaders({ ...facts, ...beside }) }]);
    await until(() => got.length === 1, "the message");
    await subscription.stop();
    assert.deepEqual(got[0], { id: "m-1", type: facts.type, key: "t-1", message, ...beside });
  });

  test("what cannot be decoded, and types that nobody asked for, go to the dead letters once", async () => {
    const topic = fresh("undecodable");
    const good: string[] = [];
    let failed = false;
    const subscription = await consume(on.bus, {
      ...{ group: fresh("group"), topics: [topic], schemas: [SettleHoldResponseSchema] },
      async handle(set) {
        if (!failed) {
          failed = true;
          throw new FerryError("UNAVAILABLE", "once more, with the same set");
        }
        good.push(...set.map(({ message }) => message.transferId));
      },
    });
    const headers = (type: string, id: string) => writeHeaders({ id, type, source: "test", time: new Date() });
    const type = SettleHoldResponseSchema.typeName;
    const value = toBinary(SettleHoldResponseSchema, create(SettleHoldResponseSchema, { transferId: "t-1" }));
    const broken = Buffer.from([0x0a, 0x7f, 1]);
    await on.bus.publish([
      { topic, key: "k", value: broken, headers: headers(type, "broken") },
      { topic, key: "k", value, headers: headers("ferry.nobody.v1.Unknown", "unknown") },
      { topic, key: "k", value, headers: {} },
      { topic, key: "k", value, headers: headers(type, "good") },
    ]);
    const dead = await collect(on.bus, { topics: [deadLetterTopic(topic)] });
    await until(() => dead.taken.length >= 3 && good.length > 0, "three dead, one good");
    await subscription.stop();
    await dead.stop();
    assert.deepEqual(good, ["t-1"]);
    assert.deepEqual(dead.taken.map(({ headers }) => headers.ce_id).sort(), ["broken", "unknown", undefined]);
  });
}

/** What every bus must do. `start` gives a bus on a fresh broker, or what stands for it. */
export function busContract(name: string, start: () => Promise<{ bus: Bus; stop(): Promise<void> }>): void {
  describe(`bus: ${name}`, () => {
    const on = {} as OnBus;
    let stop: () => Promise<void>;
    before(async () => {
      ({ bus: on.bus, stop } = await start());
    });
    after(() => stop());
    delivery(on);
    groups(on);
    failures(on);
    envelopes(on);
  });
}
