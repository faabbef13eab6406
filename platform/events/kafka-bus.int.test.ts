import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { type Bus, createKafkaBus, type KafkaBusOptions, type ReceivedRecord } from "@ferry/platform/events";
import { silentLogger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { startBroker } from "../../local/broker/server.ts";
import { until } from "../../test/contract/bus.ts";
import { freePort } from "../../test/support/free-port.ts";
import { openClient } from "./kafka-client.ts";
import { watch } from "./kafka-watchdog.ts";

type Broker = Awaited<ReturnType<typeof startBroker>>;

const directory = fs.mkdtempSync(join(os.tmpdir(), "ferry-bus-"));
let broker: Broker;
let brokers: string[];

before(async () => {
  broker = await startBroker({ directory, port: await freePort() }); // Nobody else's while the broker is away.
  brokers = [`127.0.0.1:${broker.port}`];
});
after(async () => {
  await broker.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Closed after their test, also where it fails: one that is left keeps the file from its end. */
const opened: Bus[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((bus) => bus.close()));
});
function open(options: Partial<KafkaBusOptions> = {}): Bus {
  const bus = createKafkaBus({ brokers, clientId: "test", logger: silentLogger, onFatal: assert.fail, ...options });
  opened.push(bus);
  return bus;
}
const record = (topic: string, key: string) => ({ topic, key, value: Buffer.from(key), headers: { ce_id: key } });

/** How many messages of a topic a group has committed. */
async function committedOf(groupId: string, topic: string): Promise<number> {
  const admin = openClient({ brokers, clientId: "test", logger: silentLogger }).admin();
  await admin.connect();
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
  await admin.disconnect();
  return found!.partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0);
}

test("what a killed process had at hand comes to another member of its group", async () => {
  const [group, topic] = ["killed", "test.killed"];
  const bus = open();
  await bus.publish([record(topic, "a"), record(topic, "b")]);
  const child = spawn(process.execPath, [join(import.meta.dirname, "member.fixture.ts"), brokers[0]!, group, topic]);
  const [output] = await once(child.stdout, "data");
  assert.match(String(output), /took [12]/);
  child.kill("SIGKILL");
  await once(child, "exit");
  const taken: ReceivedRecord[] = [];
  const subscription = await bus.subscribe({ group, topics: [topic], handle: async (set) => void taken.push(...set) });
  await until(() => taken.length === 2, "both");
  await subscription.stop();
  await bus.close();
  assert.deepEqual(taken.map(({ key }) => key).sort(), ["a", "b"]);
});

test("a broker that restarts loses nothing and doubles nothing for a bus that lives on", async () => {
  const topic = "test.restart";
  const bus = open();
  const taken: string[] = [];
  const subscription = await bus.subscribe({
    ...{ group: "restart", topics: [topic] },
    handle: async (set) => void taken.push(...set.map(({ key }) => key!)),
  });
  await bus.publish([record(topic, "before")]);
  await until(() => taken.length === 1, "the one before");
  await until(async () => (await committedOf("restart", topic)) === 1, "its offset is committed");
  const { port } = broker;
  await broker.close();
  const refused = bus.publish([record(topic, "while away")]);
  await assert.rejects(refused, (error: FerryError) => error.reason === "UNAVAILABLE" && error.retryable);
  broker = await startBroker({ directory, port });
  await until(async () => {
    try {
      await bus.publish([record(topic, "after")]);
      return true;
    } catch {
      return false;
    }
  }, "the broker takes messages again");
  await until(() => taken.includes("after"), "the one after");
  await until(() => subscription.unready() === undefined, "a member again");
  await subscription.stop();
  await bus.close();
  assert.deepEqual(
    taken.filter((key) => key !== "while away"),
    ["before", "after"],
  );
});

test("subscribing waits for a broker that is away", async () => {
  const { port } = broker;
  await broker.close();
  const bus = open();
  const taken: string[] = [];
  const subscribing = bus.subscribe({
    ...{ group: "waits", topics: ["test.waits"] },
    handle: async (set) => void taken.push(...set.map(({ key }) => key!)),
  });
  broker = await startBroker({ directory, port });
  const subscription = await subscribing;
  await bus.publish([record("test.waits", "x")]);
  await until(() => taken.length === 1, "the message");
  await subscription.stop();
  await bus.close();
});

test("a bus that closes gives up waiting for a broker that is away", async () => {
  const bus = open({ brokers: ["127.0.0.1:1"] });
  const subscribing = bus.subscribe({ group: "never", topics: ["test.never"], handle: async () => {} });
  const refused = assert.rejects(subscribing, FerryError);
  await bus.close();
  await refused;
});

test("messages larger together than one request may be are published in order", async () => {
  const topic = "test.large";
  const bus = open();
  const value = Buffer.alloc(200_000, "x");
  const keys = Array.from({ length: 20 }, (_, index) => `k-${index}`);
  await bus.publish(keys.map((number) => ({ topic, key: "same", value, headers: { number } })));
  const taken: string[] = [];
  const subscription = await bus.subscribe({
    ...{ group: "large", topics: [topic] },
    handle: async (set) => void taken.push(...set.map(({ headers }) => headers.number!)),
  });
  await until(() => taken.length === keys.length, "all");
  await subscription.stop();
  await bus.close();
  assert.deepEqual(taken, keys);
});

test("a handler that takes longer than the session is not taken for dead", async () => {
  const topic = "test.slow";
  // A heartbeat goes out each second: a pause of this process is not to be taken for death.
  const bus = open({ sessionTimeoutMs: 5_000 });
  const taken: string[] = [];
  const slow = Promise.withResolvers<void>();
  const subscription = await bus.subscribe({
    ...{ group: "slow", topics: [topic] },
    async handle(set) {
      taken.push(...set.map(({ key }) => key!));
      await slow.promise;
    },
  });
  await bus.publish([record(topic, "one")]);
  await until(() => taken.length === 1, "the first");
  setTimeout(slow.resolve, 7_000);
  await slow.promise;
  await bus.publish([record(topic, "two")]);
  await until(() => taken.includes("two"), "the second");
  assert.deepEqual(taken, ["one", "two"]);
  assert.equal(subscription.unready(), undefined);
  await subscription.stop();
  await bus.close();
});

test("a member whose handler waits for something does not hold up those who join", async () => {
  const [group, topic] = ["joins", "test.joins"];
  const bus = open();
  let tries = 0;
  const waiting = await bus.subscribe({
    ...{ group, topics: [topic] },
    async handle() {
      tries++;
      throw new FerryError("UNAVAILABLE", "for a long time");
    },
  });
  const keys = Array.from({ length: 30 }, (_, index) => `k-${index}`);
  await bus.publish(keys.map((key) => record(topic, key)));
  await until(() => tries >= 4, "pauses that are longer than a heartbeat");
  const taken = new Set<string>();
  const joining = await bus.subscribe({
    ...{ group, topics: [topic] },
    async handle(set) {
      for (const { key } of set) taken.add(key!);
    },
  });
  await until(() => taken.size > 0, "a share of the messages");
  await waiting.stop();
  await until(() => taken.size === keys.length, "all of them");
  await joining.stop();
  await bus.close();
});

test("a consumer that ends for good is fatal", async () => {
  const topic = "test.fatal";
  const { Kafka, CompressionTypes, CompressionCodecs } = (await import("kafkajs")).default;
  const snappy = CompressionCodecs[CompressionTypes.Snappy];
  const fatal = Promise.withResolvers<Error>();
  const bus = open({ onFatal: fatal.resolve });
  const subscription = await bus.subscribe({ group: "fatal", topics: [topic], handle: async () => {} });
  // A batch in a compression that this client cannot read: no retry can help.
  const codec = { compress: async (encoder: { buffer: Buffer }) => encoder.buffer, decompress: assert.fail };
  CompressionCodecs[CompressionTypes.Snappy] = () => codec;
  const producer = new Kafka({ brokers, logLevel: 0 }).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: "x" }], compression: CompressionTypes.Snappy });
  await producer.disconnect();
  CompressionCodecs[CompressionTypes.Snappy] = snappy;
  const error = await fatal.promise;
  assert.match(error.message, /consumer fatal crashed/);
  assert.match(subscription.unready() ?? "", /not in the consumer group/);
  await bus.close();
});

test("a bus that is closed joins no group any more", async () => {
  const bus = open();
  await bus.close();
  const joins = bus.subscribe({ group: "late", topics: ["test.late"], handle: async () => {} });
  await assert.rejects(joins, /the bus is closed/);
});

test("the watchdog calls a stall when messages wait and nothing moves, and only then", async () => {
  const topic = "test.stall";
  const bus = open();
  await bus.publish([record(topic, "waits")]);
  const kafka: KafkaJs.Kafka = openClient({ brokers, clientId: "watchdog", logger: silentLogger });
  const stopping = new AbortController();
  const watching = (group: string, partitions: number[]) => {
    const seen: { looks: number; stall?: string } = { looks: 0 };
    watch({
      ...{ kafka, group, topics: [topic], logger: silentLogger, stopping: stopping.signal, stallMs: 100, lookMs: 20 },
      assigned() {
        seen.looks++;
        return { [topic]: partitions };
      },
      onStall({ message }) {
        seen.stall = message;
      },
    });
    return seen;
  };
  const subscription = await bus.subscribe({ group: "moves", topics: [topic], handle: async () => {} });
  await until(async () => (await committedOf("moves", topic)) === 1, "its commit");
  const [none, elsewhere, asleep] = [
    watching("moves", [0, 1, 2]),
    watching("sleeps", []),
    watching("sleeps", [0, 1, 2]),
  ];
  // With its second look the first of each is over.
  await until(() => [none, elsewhere, asleep].every(({ looks }) => looks >= 2), "two looks of each");
  assert.deepEqual([none.stall, elsewhere.stall], [undefined, undefined]);
  assert.equal(asleep.stall, "sleeps: 1 messages wait and nothing moved for 100 ms");
  stopping.abort();
  await subscription.stop();
  await bus.close();
});

test("the watchdog of a subscription with nothing to do looks again and again, over one connection", async () => {
  const topic = "test.quiet";
  const bus = open();
  await bus.publish([record(topic, "handled")]);
  const subscription = await bus.subscribe({ group: "quiet", topics: [topic], handle: async () => {} });
  await until(async () => (await committedOf("quiet", topic)) === 1, "the commit");
  const client = openClient({ brokers, clientId: "watchdog", logger: silentLogger });
  const admins: KafkaJs.Admin[] = [];
  const closed = Promise.withResolvers<void>();
  const admin = () => {
    const made = client.admin();
    made.on(made.events.DISCONNECT, () => closed.resolve());
    admins.push(made);
    return made;
  };
  const stopping = new AbortController();
  let looks = 0;
  const stalls: Error[] = [];
  watch({
    ...{ kafka: { admin }, group: "quiet", topics: [topic], logger: silentLogger, stopping: stopping.signal },
    ...{ stallMs: 20, lookMs: 10, onStall: (error) => void stalls.push(error) },
    assigned() {
      looks++;
      return undefined;
    },
  });
  await until(() => looks >= 4, "several looks");
  assert.deepEqual([admins.length, stalls], [1, []]);
  stopping.abort();
  await closed.promise;
  await subscription.stop();
  await bus.close();
});
