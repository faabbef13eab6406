import assert from "node:assert/strict";
import { test } from "node:test";
import { deadLetterOf } from "./dead-letters.ts";

function recordOf(valueBytes: number, key = "k", headers: Record<string, string> = { ce_id: "1" }) {
  const position = { topic: "ferry.transfer.replies.v1", partition: 2, offset: 7n };
  return { ...position, key, value: new Uint8Array(valueBytes), headers };
}

test("a record goes to the dead letters as it came", () => {
  const { topic, key, value, headers } = deadLetterOf(recordOf(900_000), "g", new Error("no"));
  assert.deepEqual([topic, key, value.byteLength], ["ferry.transfer.replies.v1.dlq", "k", 900_000]);
  assert.deepEqual([headers.ce_id, headers.dlq_error, headers.dlq_left_out], ["1", "Error: no", undefined]);
});

test("what would be too large for the broker with what is said about it goes without what makes it so", () => {
  const { key, value, headers } = deadLetterOf(recordOf(1_048_000), "g", new Error("no"));
  assert.deepEqual([key, value.byteLength, headers.ce_id], ["k", 0, "1"]);
  assert.deepEqual([headers.dlq_left_out, headers.dlq_partition, headers.dlq_offset], ["1048000 bytes", "2", "7"]);
  for (const record of [recordOf(1, "k".repeat(1_040_000)), recordOf(1, "k", { ce_id: "é".repeat(520_000) })]) {
    const letter = deadLetterOf(record, "g", new Error("no"));
    assert.deepEqual([letter.key, letter.value.byteLength, letter.headers.ce_id], ["", 0, undefined]);
    assert.deepEqual([letter.headers.dlq_offset, letter.headers.dlq_left_out], ["7", "1 bytes"]);
  }
});
