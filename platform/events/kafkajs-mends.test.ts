import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import {
  type BatchContext,
  type DecodedRecord,
  decodeRecord,
  type EncodableRecord,
  encodeRecord,
  groupByPartition,
} from "./kafkajs-records.ts";

// The originals: this file never loads the mends, so these are kafkajs's own.
const require = createRequire(import.meta.url);
const originalEncode = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as typeof encodeRecord;
const originalDecode = require("kafkajs/src/protocol/recordBatch/record/v0/decoder.js") as typeof decodeRecord;
const originalGroup = require("kafkajs/src/producer/groupMessagesPerPartition.js") as typeof groupByPartition;
const Decoder = require("kafkajs/src/protocol/decoder.js") as new (
  buffer: Buffer,
) => { buffer: Buffer; offset: number; readVarIntBytes(): Buffer };

const buffer = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.string({ unit: "binary", maxLength: 200 });
const headerName = text.filter((name) => name !== "__proto__"); // Its own test is below.
const headerValue = fc.oneof(text, buffer);
const record: fc.Arbitrary<EncodableRecord> = fc.record(
  {
    offsetDelta: fc.oneof(fc.nat(300), fc.nat(2 ** 30)),
    timestampDelta: fc.oneof(fc.nat(300), fc.nat(2 ** 30), fc.integer({ min: -100_000, max: -1 })),
    key: fc.option(fc.oneof(text, buffer)),
    value: fc.option(fc.oneof(buffer, fc.uint8Array({ minLength: 8_000, maxLength: 20_000 }).map(Buffer.from))),
    headers: fc.dictionary(headerName, fc.oneof(headerValue, fc.array(headerValue, { maxLength: 3 })), { maxKeys: 12 }),
  },
  { requiredKeys: ["key", "value"] },
);
const context: fc.Arbitrary<BatchContext> = fc.record({
  firstOffset: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
  firstTimestamp: fc.oneof(fc.constant("1795225200000"), fc.bigInt({ min: 0n, max: 2n ** 61n }).map(String)),
  magicByte: fc.constant(2),
  isControlBatch: fc.boolean(),
  timestampType: fc.constantFrom(0, 1),
  maxTimestamp: fc.constant("1795225299999"),
});

test("records are encoded to the same bytes as kafkajs's own", () => {
  fc.assert(
    fc.property(record, (one) => {
      assert.ok(originalEncode(one).buffer.equals(encodeRecord(one).buffer));
    }),
    { numRuns: 1_000 },
  );
});

test("records are decoded to the same as by kafkajs's own, compacted headers included", () => {
  const fields = ["magicByte", "attributes", "timestamp", "offset", "key", "value", "isControlRecord"] as const;
  fc.assert(
    fc.property(record, context, (one, from) => {
      const body = new Decoder(originalEncode(one).buffer).readVarIntBytes();
      const wanted = originalDecode(new Decoder(body), from);
      const got = decodeRecord(new Decoder(body), from);
      for (const field of fields) assert.deepEqual(got[field], wanted[field], field);
      assert.deepEqual({ ...got.headers }, { ...wanted.headers });
      assert.equal(got.batchContext, from);
      assert.deepEqual({ ...got.textHeaders }, textOf(wanted));
    }),
    { numRuns: 1_000 },
  );
});

function textOf({ headers }: DecodedRecord): Record<string, string> {
  const last = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return Object.fromEntries(last.map(([name, value]) => [name, String(value)]));
}

test("messages are grouped as by kafkajs's own", () => {
  const messages = Array.from({ length: 200 }, (_, number) => ({ number }));
  const partitioner = ({ message }: { message: { number: number } }) => (message.number * 7) % 5;
  const grouping = { topic: "t", partitionMetadata: [{}, {}], messages, partitioner };
  assert.deepEqual(groupByPartition(grouping), originalGroup(grouping));
  const unknown = { ...grouping, partitionMetadata: [] };
  assert.deepEqual(groupByPartition(unknown), originalGroup(unknown));
});

test("the record codec was measured against this release; with another, measure again whether it is still worth it", () => {
  const { version } = require("kafkajs/package.json") as { version: string };
  assert.equal(version, "2.2.4");
});

test("a header named __proto__ is an ordinary name to nobody: it is left out, and changes no prototype", () => {
  const headers = Object.fromEntries([["__proto__", "x"]]);
  const body = new Decoder(originalEncode({ key: null, value: null, headers }).buffer).readVarIntBytes();
  const got = decodeRecord(new Decoder(body), { firstOffset: "0", firstTimestamp: "0", magicByte: 2 } as BatchContext);
  assert.deepEqual(Object.keys(got.headers), []);
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

/** Counts how often an idle request queue wakes up within 200 ms, in a process of its own. */
async function wakeUps(load: string): Promise<{ count: number; warnings: string }> {
  const script = `
    import { createRequire } from "node:module";
    ${load}
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const RequestQueue = require("kafkajs/src/network/requestQueue/index.js");
    const logger = { debug() {}, warn() {} };
    const queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1000, clientId: "c", broker: "b", logger });
    let count = 0;
    const check = queue.checkPendingRequests;
    queue.checkPendingRequests = function () { count++; return check.call(this); };
    queue.checkPendingRequests();
    setTimeout(() => { console.log(count); process.exit(0); }, 200);`;
  const args = ["--input-type=module", "-e", script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return { count: Number(stdout), warnings: stderr };
}

test("an idle connection does not wake up, and kafkajs alone still needs that mend", async () => {
  const mends = new URL("kafkajs-mends.ts", import.meta.url).href;
  const mended = await wakeUps(`import ${JSON.stringify(mends)};`);
  assert.equal(mended.count, 1);
  assert.doesNotMatch(mended.warnings, /TimeoutNegativeWarning/);
  const own = await wakeUps("");
  assert.ok(own.count > 10, `kafkajs alone woke up ${own.count} times: the mend of the idle loop can go`);
  assert.match(own.warnings, /TimeoutNegativeWarning/);
});
