import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBatch, sealBatch } from "../testing/batches.ts";
import { ErrorCode } from "./error-codes.ts";
import { checkProducedBatch, findRecordByTime, hasValidChecksum, placeBatch, readBatchHeader } from "./record-batch.ts";

const MAX = 10_000;

function changed(change: (batch: Buffer) => void): Buffer {
  const batch = buildBatch({ values: ["a", "b", "c"] });
  change(batch);
  return batch;
}

test("a sound batch is taken, and says what is in it", () => {
  const batch = buildBatch({ values: ["a", "b", "c"], producerId: 7, producerEpoch: 2, baseSequence: 9 });
  assert.equal(checkProducedBatch(batch, MAX), ErrorCode.NONE);
  placeBatch(batch, 40);
  assert.ok(hasValidChecksum(batch), "its place in the log is outside the checksum");
  const header = readBatchHeader(batch);
  assert.deepEqual([header.baseOffset, header.lastOffset, header.recordCount], [40, 42, 3]);
  assert.deepEqual([header.producerId, header.producerEpoch, header.baseSequence], [7, 2, 9]);
});

const refused: [string, Buffer, ErrorCode][] = [
  ["a changed byte", changed((batch) => batch.fill("X", 70, 71)), ErrorCode.CORRUPT_MESSAGE],
  ["a cut batch", buildBatch().subarray(0, -1), ErrorCode.CORRUPT_MESSAGE],
  ["too few bytes for a batch", Buffer.alloc(5), ErrorCode.CORRUPT_MESSAGE],
  ["an old message set", changed((batch) => batch.fill(1, 16, 17)), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT],
  ["two batches", Buffer.concat([buildBatch(), buildBatch()]), ErrorCode.INVALID_RECORD],
  ["a large batch", buildBatch({ values: ["x".repeat(MAX)] }), ErrorCode.MESSAGE_TOO_LARGE],
  ["a wrong count", sealBatch(changed((batch) => batch.writeInt32BE(2, 57))), ErrorCode.INVALID_RECORD],
  ["no records", sealBatch(changed((batch) => batch.fill(0, 57, 61))), ErrorCode.INVALID_RECORD],
  ["a transaction's batch", sealBatch(changed((batch) => batch.writeInt16BE(0x10, 21))), ErrorCode.INVALID_RECORD],
  ["a control batch", sealBatch(changed((batch) => batch.writeInt16BE(0x20, 21))), ErrorCode.INVALID_RECORD],
];
for (const [name, records, error] of refused) {
  test(`${name} is refused with ${error}`, () => assert.equal(checkProducedBatch(records, MAX), error));
}

test("the first record of a time or younger is found inside the batch", () => {
  const batch = buildBatch({ values: ["a", "b", "c"], timestampMs: 5_000 });
  placeBatch(batch, 10);
  assert.deepEqual(findRecordByTime(batch, 4_000), { offset: 10, timestampMs: 5_000 });
  assert.deepEqual(findRecordByTime(batch, 5_001), { offset: 11, timestampMs: 5_001 });
  assert.deepEqual(findRecordByTime(batch, 5_002), { offset: 12, timestampMs: 5_002 });
});

test("a compressed batch is not opened: its first record stands for it", () => {
  const batch = buildBatch({ values: ["a", "b", "c"], timestampMs: 5_000 });
  batch.writeInt16BE(1, 21);
  assert.deepEqual(findRecordByTime(sealBatch(batch), 5_002), { offset: 0, timestampMs: 5_000 });
});
