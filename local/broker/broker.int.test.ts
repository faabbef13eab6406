import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { type Consumer, Kafka, logLevel } from "kafkajs";
import { freePort } from "../../test/support/free-port.ts";
import { until } from "../../test/support/until.ts";
import { startBroker } from "./server.ts";
import { RawClient } from "./testing/raw-client.ts";
import { makeScratch } from "./testing/scratch.ts";

const TOPIC = "orders";

/** kafkajs says goodbye to the broker for long when it is gone: its clients are to be disconnected before it stops. */
function createKafka(port: number) {
  const retry = { initialRetryTime: 50, maxRetryTime: 200, retries: 50 };
  const kafka = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, retry });
  const clients: { disconnect(): Promise<void> }[] = [];
  const keep = <T extends { disconnect(): Promise<void> }>(client: T) => {
    clients.push(client);
    return client;
  };
  return {
    admin: () => keep(kafka.admin()),
    producer: () => keep(kafka.producer({ idempotent: true, allowAutoTopicCreation: false, retry })),
    consumer: (groupId: string) =>
      keep(kafka.consumer({ groupId, maxWaitTimeInMs: 100, heartbeatInterval: 200, sessionTimeout: 10_000 })),
    async disconnect() {
      for (const client of clients.splice(0).reverse()) await client.disconnect();
    },
  };
}

/** Collects what a consumer sees, and waits until that is enough. */
async function collect(consumer: Consumer, expected: number): Promise<string[]> {
  const seen: string[] = [];
  const enough = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      seen.push(String(message.value));
      if (seen.length === expected) enough.resolve();
    },
  });
  await enough.promise;
  return seen;
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => `${from + index}`);
const byNumber = (left: string, right: string) => Number(left) - Number(right);

test("a group goes on where it was after the broker was restarted on its directory", async (context) => {
  const directory = makeScratch(context);
  const port = await freePort();
  let broker = await startBroker({ directory, port });
  const clients = createKafka(port);
  context.after(async () => {
    await clients.disconnect();
    await broker.close();
  });
  const admin = clients.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }] });
  const producer = clients.producer();
  await producer.connect();
  const send = (values: string[]) =>
    producer.send({ topic: TOPIC, messages: values.map((value) => ({ key: value, value })) });
  await send(numbers(0, 50));
  const before = clients.consumer("billing");
  assert.deepEqual((await collect(before, 50)).sort(byNumber), numbers(0, 50));
  await before.disconnect();

  await broker.close();
  const unfinished = path.join(directory, "topics", TOPIC, "0", "00000000000000000000.log");
  const soundBytes = fs.statSync(unfinished).size;
  fs.appendFileSync(unfinished, Buffer.alloc(40, 7)); // as if a kill had come in the middle of a write
  broker = await startBroker({ directory, port });
  assert.equal(fs.statSync(unfinished).size, soundBytes);

  await send(numbers(50, 50)); // the same producer, with its sequence going on
  assert.deepEqual((await collect(clients.consumer("billing"), 50)).sort(byNumber), numbers(50, 50));
});

test("a member that was killed is replaced long before its session times out", async (context) => {
  const broker = await startBroker({ directory: makeScratch(context), port: 0 });
  const clients = createKafka(broker.port);
  context.after(async () => {
    await clients.disconnect();
    await broker.close();
  });
  const admin = clients.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 4 }] });

  // A member that speaks the protocol just far enough to join, and then loses its connection without a word.
  const doomed = await RawClient.connect(broker.port);
  const { body } = await doomed.request(11, 1, (to) => {
    const subscription = Buffer.from([0, 1, 0, 0, 0, 1, 0, 6, ...Buffer.from(TOPIC), 0, 0, 0, 0]);
    to.string("billing").int32(30_000).int32(60_000).string("").string("consumer"); // Nobody is left out meanwhile.
    to.int32(1).string("RoundRobinAssigner").bytes(subscription);
  });
  assert.equal(body.int16(), 0);
  const consumer = clients.consumer("billing");
  const owned = Promise.withResolvers<void>();
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    if (payload.memberAssignment[TOPIC]?.length === 4) owned.resolve();
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [TOPIC] });
  const running = consumer.run({ eachMessage: async () => {} });
  const countMembers = async () => (await admin.describeGroups(["billing"])).groups[0]?.members.length;
  await until("both are members", async () => (await countMembers()) === 2 || undefined);
  const killedAt = performance.now();
  doomed.close();
  await owned.promise;
  await running;
  const takenOverAfterMs = performance.now() - killedAt;
  assert.ok(takenOverAfterMs < 15_000, `it took ${takenOverAfterMs} ms: by the end of its session of 30,000`);
  assert.equal(await countMembers(), 1);
});

async function spawnBroker(context: TestContext, directory: string, port: number) {
  const child: ChildProcess = spawn(process.execPath, [path.join(import.meta.dirname, "main.ts")], {
    env: { ...process.env, FERRY_BROKER_PORT: String(port), FERRY_BROKER_DIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  assert.equal((JSON.parse(line) as { ready: boolean }).ready, true);
  return child;
}

test("what was acknowledged is there once after kill -9, and SIGTERM ends the broker with 0", async (context) => {
  const directory = makeScratch(context);
  const port = await freePort();
  let child = await spawnBroker(context, directory, port);
  const clients = createKafka(port);
  context.after(() => clients.disconnect());
  const admin = clients.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 2 }] });
  const producer = clients.producer();
  await producer.connect();
  let acknowledged = 0;
  for (let round = 0; round < 20; round += 1) {
    const values = numbers(round * 50, 50);
    const sent = producer.send({ topic: TOPIC, messages: values.map((value) => ({ key: value, value })) });
    if (round % 8 === 4) {
      const exited = once(child, "exit");
      child.kill("SIGKILL"); // while the batch is on its way
      await exited;
      child = await spawnBroker(context, directory, port);
    }
    await sent;
    acknowledged += values.length;
  }
  const seen = await collect(clients.consumer("audit"), acknowledged);
  assert.deepEqual(seen.sort(byNumber), numbers(0, acknowledged));
  await clients.disconnect();
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  assert.equal(fs.existsSync(path.join(directory, "broker.lock")), false);
});
