import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { encodeProduce, frameRequest, type ProduceCall, produceRequest } from "./kafkajs-produce.ts";

// The originals: this file never loads the mends, so these are kafkajs's own.
const require = createRequire(import.meta.url);
type MakeRequest = Parameters<typeof produceRequest>[0];
const originalRequest = require("kafkajs/src/protocol/requests/produce/v3/request.js") as MakeRequest;
const originalFrame = require("kafkajs/src/protocol/request.js") as typeof frameRequest;

const buffer = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 70 }));
const headerValue = fc.oneof(text, text, buffer);
const large = fc.integer({ min: 8_000, max: 70_000 }).map((length) => Buffer.alloc(length, 7));
const message = fc.record(
  {
    key: fc.option(fc.oneof(text, buffer)),
    value: fc.option(fc.oneof({ weight: 20, arbitrary: buffer }, { weight: 1, arbitrary: large })),
    headers: fc.dictionary(text, fc.oneof(headerValue, fc.array(headerValue, { maxLength: 3 })), { maxKeys: 12 }),
  },
  { requiredKeys: ["key", "value"] },
);
const partition = fc.record({
  partition: fc.nat(100),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: fc.array(message, { minLength: 1, maxLength: 5 }),
});
const call: fc.Arbitrary<ProduceCall> = fc.record({
  acks: fc.constantFrom(-1, 0, 1),
  timeout: fc.nat(60_000),
  producerId: fc.constantFrom<unknown>(-1, "1000", "9007199254740993"),
  producerEpoch: fc.nat(100),
  topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }), { maxLength: 3 }),
});

const bytesOf = async (make: MakeRequest, one: ProduceCall) => (await make(one).encode()).buffer;
const stopClock = (context: TestContext) => context.mock.timers.enable({ apis: ["Date"], now: 1_795_225_200_123 });

test("a produce request has the same bytes as kafkajs's own", async (context) => {
  stopClock(context);
  const ours = produceRequest(() => assert.fail("the original is not asked"));
  await fc.assert(
    fc.asyncProperty(call, async (one) => {
      assert.ok((await bytesOf(originalRequest, one)).equals(await bytesOf(ours, one)));
    }),
    { numRuns: 500 },
  );
});

test("records of every length around the widths of a length have the same bytes as kafkajs's own", async (context) => {
  stopClock(context);
  const lengths = [
    0, 40, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 8_170, 8_180, 8_185, 8_190, 8_195, 1_048_570, 1_048_580,
  ];
  const messages = lengths.map((length) => ({ key: "k", value: Buffer.alloc(length, 1), headers: { a: "b" } }));
  const one: ProduceCall = {
    acks: -1,
    timeout: 1,
    topicData: [{ topic: "t", partitions: [{ partition: 0, messages }] }],
  };
  assert.ok((await bytesOf(originalRequest, one)).equals(encodeProduce(one)));
});

test("what a request says of itself is the same, and what it cannot do is the original's", () => {
  const plain: ProduceCall = { acks: 0, timeout: 1, topicData: [] };
  const wanted = originalRequest(plain);
  const got = produceRequest(() => assert.fail("the original is not asked"))(plain);
  assert.deepEqual([got.apiKey, got.apiVersion, got.apiName], [wanted.apiKey, wanted.apiVersion, wanted.apiName]);
  assert.deepEqual([got.expectResponse(), wanted.expectResponse()], [false, false]);
  const messages = [{ key: "k", value: "v", timestamp: "1795225200000" }];
  const special: Partial<ProduceCall>[] = [
    ...[{ compression: 1 }, { transactionalId: "t" }],
    { topicData: [{ topic: "t", partitions: [{ partition: 0, messages }] }] },
  ];
  for (const one of special) assert.equal(produceRequest(() => wanted)({ ...plain, ...one }), wanted);
});

test("a request is framed as by kafkajs's own", async () => {
  for (const clientId of [null, "", "ferry/ledger", "é"]) {
    const body = Buffer.from("body");
    const request = { ...originalRequest({ acks: -1, timeout: 1, topicData: [] }) };
    request.encode = async () => ({ buf: body, buffer: body });
    const framed = { correlationId: 2 ** 31 - 1, clientId, request };
    assert.ok((await originalFrame(framed)).buffer.equals((await frameRequest(framed)).buffer));
  }
});
