import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { DEFAULT_OPTIONS } from "../options.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { buildBatch } from "../testing/batches.ts";
import { makeScratch } from "../testing/scratch.ts";
import { lockDirectory } from "./directory-lock.ts";
import { Flusher } from "./flusher.ts";
import { ProducerIds } from "./producer-ids.ts";
import { TailCache } from "./tail-cache.ts";
import { Topics } from "./topics.ts";

function createOpener(context: TestContext) {
  const directory = makeScratch(context);
  let opened: Topics | undefined;
  context.after(() => opened?.close());
  const open = () => {
    opened?.close();
    const log = () => {};
    const room = { cache: new TailCache(1000), flusher: new Flusher(1, log), maxProducersPerPartition: 10, log };
    const limits = { maxTopics: 3, maxPartitionsPerTopic: 4 };
    opened = new Topics(directory, DEFAULT_OPTIONS, limits, room);
    return opened;
  };
  return { directory, open };
}

test("topics, their partitions and configuration outlive a restart", (context) => {
  const { open } = createOpener(context);
  const topics = open();
  assert.equal(topics.create("orders.v1", 2, { "retention.ms": "5000" }), ErrorCode.NONE);
  assert.equal(topics.grow("orders.v1", 3, false), ErrorCode.NONE);
  topics.findPartition("orders.v1", 2)!.append(buildBatch());
  const again = open().find("orders.v1")!;
  assert.equal(again.partitions.length, 3);
  assert.equal(again.partitions[2]!.endOffset, 1);
  assert.equal(again.limits.retentionMs, 5000);
  assert.equal(again.limits.segmentBytes, DEFAULT_OPTIONS.segmentBytes);
});

test("a topic made again under a name does not find the old one's records", (context) => {
  const { directory, open } = createOpener(context);
  const topics = open();
  topics.create("orders", 1);
  topics.findPartition("orders", 0)!.append(buildBatch());
  assert.equal(topics.delete("orders"), ErrorCode.NONE);
  assert.equal(topics.find("orders"), undefined);
  topics.create("orders", 1);
  assert.equal(topics.findPartition("orders", 0)!.endOffset, 0);

  // The same when a kill came between forgetting the topic and moving its directory.
  topics.findPartition("orders", 0)!.append(buildBatch());
  fs.writeFileSync(path.join(directory, "topics.json"), '{"topics":[]}');
  const again = open();
  assert.equal(again.create("orders", 1), ErrorCode.NONE);
  assert.equal(again.findPartition("orders", 0)!.endOffset, 0);
});

test("what is not allowed is refused by name", (context) => {
  const topics = createOpener(context).open();
  topics.create("taken", 1);
  assert.equal(topics.create("taken", 1), ErrorCode.TOPIC_ALREADY_EXISTS);
  for (const name of ["", ".", "..", "a/b", "ä", "x".repeat(250)]) {
    assert.equal(topics.create(name, 1), ErrorCode.INVALID_TOPIC, name);
  }
  assert.equal(topics.create("none", 0), ErrorCode.INVALID_PARTITIONS);
  assert.equal(topics.create("many", 5), ErrorCode.INVALID_PARTITIONS);
  assert.equal(topics.create("compacted", 1, { "cleanup.policy": "compact" }), ErrorCode.INVALID_CONFIG);
  assert.equal(topics.create("odd", 1, { "retention.ms": "soon" }), ErrorCode.INVALID_CONFIG);
  assert.equal(topics.create("unheard", 1, { "no.such.setting": "1" }), ErrorCode.INVALID_CONFIG);
  assert.equal(topics.grow("taken", 1, false), ErrorCode.INVALID_PARTITIONS);
  assert.equal(topics.grow("missing", 2, false), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.equal(topics.delete("missing"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  topics.create("second", 1);
  topics.create("third", 1);
  assert.equal(topics.create("fourth", 1), ErrorCode.POLICY_VIOLATION);
});

test("producer ids are never given out twice, also after kills", (context) => {
  const directory = makeScratch(context);
  const given: number[] = [];
  for (let start = 0; start < 3; start += 1) {
    const ids = new ProducerIds(directory);
    for (let count = 0; count < 1_500; count += 1) given.push(ids.take());
  }
  assert.equal(new Set(given).size, 4_500);
});

test("one broker alone uses a directory; a lock left by a process that is gone does not hold", (context) => {
  const directory = makeScratch(context);
  const unlock = lockDirectory(directory);
  assert.throws(() => lockDirectory(directory), /in use by the broker of process/);
  unlock();
  fs.writeFileSync(path.join(directory, "broker.lock"), `${process.ppid} another-boot/1\n`);
  lockDirectory(directory)();
  assert.deepEqual(fs.readdirSync(directory), []);
});
