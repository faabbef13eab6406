import assert from "node:assert/strict";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { until } from "../../test/support/until.ts";
import { DEFAULT_OPTIONS } from "./options.ts";
import { ErrorCode } from "./protocol/error-codes.ts";
import { readBatchHeader } from "./protocol/record-batch.ts";
import { type Broker, type StartOptions, startBroker } from "./server.ts";
import { buildBatch } from "./testing/batches.ts";
import { RawClient } from "./testing/raw-client.ts";
import { createTopic, fetchPartitions, produce, produceBody } from "./testing/requests.ts";
import { makeScratch } from "./testing/scratch.ts";

async function start(context: TestContext, options: Partial<StartOptions> = {}) {
  const events: [string, Record<string, unknown>][] = [];
  const directory = makeScratch(context);
  const log = (event: string, fields: Record<string, unknown>) => void events.push([event, fields]);
  const broker = await startBroker({ directory, port: 0, log, ...options });
  context.after(() => broker.close());
  const client = await connect(context, broker);
  assert.equal(await createTopic(client, "orders", 2), ErrorCode.NONE);
  return { broker, client, events };
}

async function connect(context: TestContext, broker: Broker): Promise<RawClient> {
  const client = await RawClient.connect(broker.port);
  context.after(() => client.close());
  return client;
}

test("malformed bytes end their connection with a line in the log, and nothing else", async (context) => {
  const { broker, client, events } = await start(context, { maxRequestBytes: 100_000 });
  const wrong: Buffer[] = [
    Buffer.from("GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
    Buffer.from([0, 0, 0, 3, 1, 2, 3]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 2, 0, 0, 0, 0, 0, 3]), // more than the limit
    Buffer.from([0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff]), // no such request
    Buffer.from([0, 0, 0, 10, 0, 1, 0, 13, 0, 0, 0, 1, 0xff, 0xff]), // no such version
    Buffer.from([0, 0, 0, 10, 0, 1, 0, 4, 0, 0, 0, 1, 0xff, 0xff]), // a fetch without a body
    Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]), // 2^31 topics
  ];
  for (const bytes of wrong) {
    const other = await connect(context, broker);
    other.socket.write(bytes);
    await other.closed();
  }
  assert.equal(events.filter(([event]) => event === "connection closed").length, wrong.length);
  assert.deepEqual(await produce(client, "orders", 0, buildBatch()), { error: ErrorCode.NONE, baseOffset: 0 });
});

test("a newer client that asks for versions is told so in the form of version 0", async (context) => {
  const { client } = await start(context);
  const { body } = await client.request(18, 3, () => {});
  assert.equal(body.int16(), ErrorCode.UNSUPPORTED_VERSION);
  assert.deepEqual(
    body.array(() => [body.int16(), body.int16(), body.int16()]),
    [[18, 0, 0]],
  );
  const versions = await client.request(18, 0, () => {});
  assert.equal(versions.body.int16(), ErrorCode.NONE);
  const offered = versions.body.array(() => [versions.body.int16(), versions.body.int16(), versions.body.int16()]);
  assert.deepEqual(
    offered.find(([key]) => key === 1),
    [1, 4, 4],
  );
});

test("what cannot be stored is refused by name", async (context) => {
  const { client } = await start(context);
  const corrupt = buildBatch();
  corrupt[corrupt.length - 1] = 9;
  const old = buildBatch();
  old[16] = 1;
  const large = buildBatch({ values: ["x".repeat(DEFAULT_OPTIONS.maxBatchBytes)] });
  const errorOf = async (batch: Buffer, topic = "orders", partition = 0) =>
    (await produce(client, topic, partition, batch)).error;
  assert.equal(await errorOf(corrupt), ErrorCode.CORRUPT_MESSAGE);
  assert.equal(await errorOf(old), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT);
  assert.equal(await errorOf(large), ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal(await errorOf(buildBatch(), "missing"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.equal(await errorOf(buildBatch(), "orders", 2), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.deepEqual(await produce(client, "orders", 0, buildBatch()), { error: ErrorCode.NONE, baseOffset: 0 });
});

test("without acknowledgement there is no response, and a failure closes the connection", async (context) => {
  const { broker, client } = await start(context);
  client.send(0, 3, produceBody("orders", 0, buildBatch(), 0));
  assert.equal((await produce(client, "orders", 0, buildBatch())).baseOffset, 1);
  const other = await connect(context, broker);
  other.send(0, 3, produceBody("missing", 0, buildBatch(), 0));
  await other.closed();
});

test("a fetch waits for the bytes it wants, and answers what several producers sent meanwhile", async (context) => {
  const { broker, client } = await start(context);
  const consumer = await connect(context, broker);
  const batch = buildBatch();
  const minBytes = batch.length * 2;
  const waiting = fetchPartitions(consumer, "orders", [0, 1], { offset: 0, maxWaitMs: 60_000, minBytes });
  await produce(client, "orders", 0, batch);
  await produce(client, "orders", 1, batch);
  const [first, second] = await waiting;
  assert.deepEqual([first?.records.length, second?.records.length], [batch.length, batch.length]);
  assert.deepEqual([first?.endOffset, second?.endOffset], [1, 1]);
});

test("responses leave in the order of the requests, also behind a fetch that waits", async (context) => {
  const { broker, client } = await start(context);
  const consumer = await connect(context, broker);
  const fetched = fetchPartitions(consumer, "orders", [0], { offset: 0, maxWaitMs: 60_000 });
  const versions = consumer.request(18, 0, () => {});
  await produce(client, "orders", 0, buildBatch());
  assert.equal((await fetched)[0]?.endOffset, 1);
  assert.equal((await versions).correlationId, 2);
  assert.deepEqual(consumer.answered, [1, 2]);
});

test("a fetch that waited long enough answers with nothing", async (context) => {
  const { client } = await start(context);
  const [found] = await fetchPartitions(client, "orders", [0], { offset: 0, maxWaitMs: 20 });
  assert.deepEqual([found?.error, found?.records.length], [ErrorCode.NONE, 0]);
});

test("fetches keep to their limits, but the first batch always comes", async (context) => {
  const { client } = await start(context);
  const size = buildBatch().length;
  for (const partition of [0, 0, 0, 1]) await produce(client, "orders", partition, buildBatch());
  const sizes = async (maxBytes: number, maxPartitionBytes: number) => {
    const found = await fetchPartitions(client, "orders", [0, 1], { offset: 0, maxBytes, maxPartitionBytes });
    return found.map(({ records }) => records.length / size);
  };
  assert.deepEqual(await sizes(10_000, 10_000), [3, 1]);
  assert.deepEqual(await sizes(10_000, size * 2), [2, 1]);
  assert.deepEqual(await sizes(size * 3, 10_000), [3, 0]);
  assert.deepEqual(await sizes(1, 1), [1, 0]);
});

test("offsets outside the log are an error at once, whatever the fetch would wait for", async (context) => {
  const { client } = await start(context);
  await produce(client, "orders", 0, buildBatch());
  for (const offset of [2, -5]) {
    const [found] = await fetchPartitions(client, "orders", [0], { offset, maxWaitMs: 60_000 });
    assert.equal(found?.error, ErrorCode.OFFSET_OUT_OF_RANGE, `offset ${offset}`);
  }
  const [missing] = await fetchPartitions(client, "missing", [0], { offset: 0, maxWaitMs: 60_000 });
  assert.equal(missing?.error, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});

test("many pipelined requests are all stored, in their order", async (context) => {
  const { client } = await start(context);
  const sent = Array.from({ length: 300 }, (_, index) =>
    produce(client, "orders", 0, buildBatch({ values: [`${index}`], producerId: 1, baseSequence: index })),
  );
  const offsets = (await Promise.all(sent)).map(({ baseOffset }) => baseOffset);
  assert.deepEqual(
    offsets,
    offsets.map((_, index) => index),
  );
  const [found] = await fetchPartitions(client, "orders", [0], { offset: 299 });
  assert.equal(readBatchHeader(found!.records).baseSequence, 299);
});

test("connections beyond the limit are closed, and room is made again", async (context) => {
  const { broker, events } = await start(context, { maxConnections: 2 });
  const second = await connect(context, broker);
  const third = await connect(context, broker);
  await third.closed();
  assert.equal(events.at(-1)?.[0], "connection refused");
  second.close();
  const isServed = async () => {
    const socket = net.connect(broker.port, "127.0.0.1");
    return new Promise<boolean>((resolve) => {
      socket.on("connect", () => socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])));
      socket.on("data", () => resolve(true));
      socket.on("error", () => {});
      socket.on("close", () => resolve(false));
    }).finally(() => socket.destroy());
  };
  await until("room for another", async () => (await isServed()) || undefined);
});
