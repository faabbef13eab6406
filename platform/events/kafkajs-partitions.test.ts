import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import fc from "fast-check";
import { createPartitioner, groupByPartition, murmur2 } from "./kafkajs-partitions.ts";

// The originals: this file never loads the mends, so these are kafkajs's own.
const require = createRequire(import.meta.url);
const originalGroup = require("kafkajs/src/producer/groupMessagesPerPartition.js") as typeof groupByPartition;
const originalHash = require("kafkajs/src/producer/partitioners/default/murmur2.js") as typeof murmur2;
const { DefaultPartitioner } = require("kafkajs").Partitioners as { DefaultPartitioner: typeof createPartitioner };

test("keys are hashed as by Apache Kafka's own client", () => {
  // From org.apache.kafka.common.utils.UtilsTest.
  const known = { "21": -973932308, foobar: -790332482, "a-little-bit-long-string": -985981536, abc: 479470107 };
  for (const [key, hash] of Object.entries(known)) assert.equal(murmur2(key), hash, key);
});

test("a key of any length and alphabet goes to the partition that kafkajs chooses", () => {
  const key = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ maxLength: 60 }), fc.uuid());
  const [ours, theirs] = [createPartitioner(), DefaultPartitioner()];
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: 64 }), (one, count) => {
      assert.equal(murmur2(one), originalHash(one));
      const partitionMetadata = Array.from({ length: count }, () => ({ leader: 1 }));
      const call = { topic: "t", partitionMetadata, message: { key: one } };
      assert.equal(ours(call), theirs(call as never));
    }),
    { numRuns: 1_000 },
  );
});

test("messages are grouped as by kafkajs's own", () => {
  const messages = Array.from({ length: 200 }, (_, number) => ({ number }));
  const partitioner = ({ message }: { message: { number: number } }) => (message.number * 7) % 5;
  const grouping = { topic: "t", partitionMetadata: [{}, {}], messages, partitioner };
  assert.deepEqual(groupByPartition(grouping), originalGroup(grouping));
  const unknown = { ...grouping, partitionMetadata: [] };
  assert.deepEqual(groupByPartition(unknown), originalGroup(unknown));
});
