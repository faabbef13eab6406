import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "../protocol/error-codes.ts";
import { placeBatch, readBatchHeader } from "../protocol/record-batch.ts";
import { buildBatch } from "../testing/batches.ts";
import { Producers } from "./producers.ts";

const OUT_OF_ORDER = { kind: "refused", error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER };

function header(baseSequence: number, options: { producerId?: number; epoch?: number; offset?: number } = {}) {
  const { producerId = 1, epoch = 0, offset = baseSequence } = options;
  const batch = buildBatch({ values: ["a", "b"], producerId, producerEpoch: epoch, baseSequence });
  placeBatch(batch, offset);
  return readBatchHeader(batch);
}

test("a repeated batch is answered with its first offset, up to five batches back", () => {
  const producers = new Producers(10);
  for (let sequence = 0; sequence < 12; sequence += 2) producers.record(header(sequence, { offset: 100 + sequence }));
  assert.deepEqual(producers.decide(header(10)), { kind: "duplicate", baseOffset: 110 });
  assert.deepEqual(producers.decide(header(2)), { kind: "duplicate", baseOffset: 102 });
  assert.deepEqual(producers.decide(header(0)), OUT_OF_ORDER);
  assert.deepEqual(producers.decide(header(12)), { kind: "append" });
});

test("a gap is refused", () => {
  const producers = new Producers(10);
  producers.record(header(0));
  assert.deepEqual(producers.decide(header(4)), OUT_OF_ORDER);
  assert.deepEqual(producers.decide(header(1)), OUT_OF_ORDER);
});

test("a new epoch begins at 0, and the old one is fenced off", () => {
  const producers = new Producers(10);
  producers.record(header(0));
  assert.deepEqual(producers.decide(header(2, { epoch: 1 })), OUT_OF_ORDER);
  assert.deepEqual(producers.decide(header(0, { epoch: 1 })), { kind: "append" });
  producers.record(header(0, { epoch: 1 }));
  assert.deepEqual(producers.decide(header(2)), { kind: "refused", error: ErrorCode.INVALID_PRODUCER_EPOCH });
});

test("sequences go on at 0 after 2^31 - 1", () => {
  const producers = new Producers(10);
  producers.record(header(2 ** 31 - 2));
  assert.deepEqual(producers.decide(header(0)), { kind: "append" });
});

test("beyond the limit the producer that was silent longest is forgotten, and may begin anywhere", () => {
  const producers = new Producers(2);
  producers.record(header(0, { producerId: 1 }));
  producers.record(header(0, { producerId: 2 }));
  producers.record(header(2, { producerId: 1 }));
  producers.record(header(0, { producerId: 3 }));
  assert.deepEqual(producers.decide(header(8, { producerId: 2 })), { kind: "append" });
  assert.deepEqual(producers.decide(header(8, { producerId: 1 })), OUT_OF_ORDER);
});

test("a producer without an id is never held to a sequence", () => {
  const producers = new Producers(10);
  producers.record(header(-1, { producerId: -1 }));
  assert.deepEqual(producers.decide(header(-1, { producerId: -1 })), { kind: "append" });
});
