import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { batchClass, batchDecoder, DecodedRecord, decodeRecord } from "./kafkajs-fetch.ts";

// The originals: this file never loads the mends, so these are kafkajs's own.
const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  RecordBatch(call: object): Promise<{ buffer: Buffer }>;
};
type Encoder = { buffer: Buffer };
const encodeRecord = require("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (record: object) => Encoder;
const originalRecord = require("kafkajs/src/protocol/recordBatch/record/v0/decoder.js") as typeof decodeRecord;
const originalBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder.js") as Parameters<typeof batchDecoder>[0];
const OriginalBatchClass = require("kafkajs/src/consumer/batch.js") as Parameters<typeof batchClass>[0];
const Decoder = require("kafkajs/src/protocol/decoder.js") as new (
  buffer: Buffer,
) => { buffer: Buffer; offset: number; readVarIntBytes(): Buffer };

const decodeBatch = batchDecoder(originalBatch);
const buffer = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 20 }));
const headerName = fc.oneof(
  fc.constantFrom("ce_id", "ce_type", "ce_time", "saga_id", "content-type"),
  text.filter((name) => name !== "__proto__"), // Its own test is below.
);
const headerValue = fc.oneof(text, text, buffer);
const record = fc.record(
  {
    timestampDelta: fc.oneof(fc.nat(300), fc.nat(2 ** 30), fc.integer({ min: -100_000, max: -1 })),
    key: fc.option(fc.oneof(text, buffer)),
    value: fc.option(fc.oneof(buffer, fc.uint8Array({ minLength: 8_000, maxLength: 20_000 }).map(Buffer.from))),
    headers: fc.dictionary(headerName, fc.oneof(headerValue, fc.array(headerValue, { maxLength: 3 })), { maxKeys: 12 }),
  },
  { requiredKeys: ["key", "value"] },
);
const facts = fc.record({
  firstTimestamp: fc.constantFrom("1795225200000", "0"),
  maxTimestamp: fc.constant("1795225299999"),
  producerId: fc.constantFrom("-1", "1000"),
  producerEpoch: fc.nat(100),
  firstSequence: fc.nat(1_000),
  transactional: fc.boolean(),
  firstOffset: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
});

/** A batch as it lies at the broker, with something before it. */
async function batchOf(records: readonly object[], call: object): Promise<Buffer> {
  const encoded = records.map((one, offsetDelta) => encodeRecord({ offsetDelta, ...one }));
  const { buffer } = await RecordBatch({ records: encoded, lastOffsetDelta: records.length - 1, ...call });
  return Buffer.from(buffer);
}

const FIELDS = ["magicByte", "attributes", "timestamp", "offset", "key", "value", "isControlRecord"] as const;

function assertSame(got: DecodedRecord, wanted: DecodedRecord): void {
  for (const field of FIELDS) assert.deepEqual(got[field], wanted[field], field);
  assert.deepEqual({ ...got.headers }, { ...wanted.headers });
  assert.deepEqual({ ...got.batchContext }, { ...wanted.batchContext });
  assert.equal(got.textKey, wanted.key === null ? null : wanted.key.toString());
  assert.deepEqual({ ...got.textHeaders }, textOf(wanted));
}

/** Of a name that comes twice the last counts; a null is left out. */
function textOf({ headers }: DecodedRecord): Record<string, string> {
  const last = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return Object.fromEntries(last.map(([name, value]) => [name, String(value)]));
}

test("batches are decoded to the same as by kafkajs's own, one after the other", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 4 }), facts, async (records, call) => {
      const batch = await batchOf(records, call);
      const [ours, theirs] = [new Decoder(Buffer.concat([batch, batch])), new Decoder(Buffer.concat([batch, batch]))];
      for (let count = 0; count < 2; count++) {
        const { records: got, ...about } = await decodeBatch(ours);
        const { records: wanted, ...wantedAbout } = await originalBatch(theirs);
        assert.deepEqual(about, wantedAbout);
        assert.equal(ours.offset, theirs.offset);
        assert.equal(got.length, wanted.length);
        got.forEach((one, index) => {
          assert.ok(one instanceof DecodedRecord);
          assertSame(one, wanted[index] as DecodedRecord);
        });
      }
    }),
    { numRuns: 500 },
  );
});

test("the time of a batch that the broker stamped is the broker's", async () => {
  const batch = await batchOf([{ key: "k", value: "v" }], { firstTimestamp: "5", maxTimestamp: "9" });
  batch.writeInt16BE(0x08, 21);
  const [one] = (await decodeBatch(new Decoder(batch))).records as DecodedRecord[];
  assert.equal(one!.timestamp, "9");
});

test("a record of a batch that was compressed is decoded as by kafkajs's own", () => {
  const context = { firstOffset: "41", firstTimestamp: "7", magicByte: 2 };
  fc.assert(
    fc.property(record, (one) => {
      const body = new Decoder(encodeRecord(one).buffer).readVarIntBytes();
      assertSame(decodeRecord(new Decoder(body), context), originalRecord(new Decoder(body), context));
    }),
  );
});

test("a compressed batch, and one that was cut off, are the original's to decode", async () => {
  const batch = await batchOf([{ key: "k", value: "v" }], {});
  const asked = batchDecoder(async () => ({ records: ["original"] }));
  assert.deepEqual((await asked(new Decoder(batch.subarray(0, -1)))).records, ["original"]);
  batch.writeInt16BE(1, 21);
  assert.deepEqual((await asked(new Decoder(batch))).records, ["original"]);
});

test("a record that claims more than its batch is refused", async () => {
  const batch = await batchOf([{ key: "k", value: "v" }], {});
  batch[61] = 0x7e;
  await assert.rejects(decodeBatch(new Decoder(batch)), RangeError);
});

test("headers that are fewer than their count says end with their record", () => {
  const body = new Decoder(encodeRecord({ key: null, value: null, headers: {} }).buffer).readVarIntBytes();
  const many = [0x80, 0x80, 0x80, 0x80, 0x08]; // 2^30 as a zigzag varint, in the place of the count of none.
  const headersOf = (...bytes: number[]) => {
    const broken = Buffer.concat([body.subarray(0, -1), Buffer.from([...many, ...bytes])]);
    const got = decodeRecord(new Decoder(broken), { firstOffset: "0", firstTimestamp: "0", magicByte: 2 });
    return [got.textHeaders, { ...got.headers }];
  };
  assert.deepEqual(headersOf(), [{}, {}]);
  assert.deepEqual(headersOf(0x02, 0x61, 0x02, 0x62), [{ a: "b" }, { a: Buffer.from("b") }]);
  assert.deepEqual(headersOf(0x03)[0], {}, "a name of -2 bytes");
  assert.deepEqual(headersOf(0x04, 0xc3, 0xa9, 0x01)[0], {}, "text that is not ASCII");
});

test("a header named __proto__ is an ordinary name to nobody: it is left out, and changes no prototype", () => {
  const headers = Object.fromEntries([["__proto__", "x"]]);
  const body = new Decoder(encodeRecord({ key: null, value: null, headers }).buffer).readVarIntBytes();
  const got = decodeRecord(new Decoder(body), { firstOffset: "0", firstTimestamp: "0", magicByte: 2 });
  assert.deepEqual([Object.keys(got.headers), Object.keys(got.textHeaders)], [[], []]);
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

test("a batch for a consumer holds the messages that kafkajs's own holds", async () => {
  const OurBatchClass = batchClass(OriginalBatchClass);
  const decoded = async (call: object, change?: (batch: Buffer) => void) => {
    const batch = await batchOf(
      Array.from("abc", (key) => ({ key, value: key })),
      { firstOffset: "10", ...call },
    );
    change?.(batch);
    return (await decodeBatch(new Decoder(batch))).records;
  };
  const plain = await decoded({});
  const control = await decoded({ transactional: true }, (batch) => batch.writeInt16BE(0x30, 21));
  const cases = [
    ...[{ messages: plain }, { messages: [] }, { messages: control }, { messages: [...plain, ...control] }],
    { messages: plain, abortedTransactions: [{ producerId: "-1", firstOffset: "10" }] },
  ];
  for (const fetchedOffset of ["0", "10", "11", "13"]) {
    for (const one of cases) {
      const data = { partition: 1, highWatermark: "20", abortedTransactions: [], ...one };
      const [got, wanted] = [OurBatchClass, OriginalBatchClass].map((Class) => new Class("t", fetchedOffset, data));
      assert.deepEqual({ ...got }, { ...wanted });
      for (const ask of ["firstOffset", "lastOffset", "isEmpty", "offsetLag"] as const)
        assert.equal(answer(got!, ask), answer(wanted!, ask));
    }
  }
});

function answer(batch: object, ask: string): unknown {
  return (batch as Record<string, () => unknown>)[ask]!();
}
