import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { DEFAULT_OPTIONS } from "../options.ts";
import { ErrorCode } from "../protocol/error-codes.ts";
import { findBatchSize, readBatchHeader } from "../protocol/record-batch.ts";
import { type BatchOptions, buildBatch } from "../testing/batches.ts";
import { makeScratch } from "../testing/scratch.ts";
import { Flusher } from "./flusher.ts";
import { type LogLimits, PartitionLog } from "./partition-log.ts";
import { TailCache } from "./tail-cache.ts";

interface Setting extends Partial<LogLimits> {
  readonly cacheBytes?: number;
}

/** Opens a log, and closes it at the end of the test or when it is opened again on the same directory. */
function createOpener(context: TestContext) {
  const directory = path.join(makeScratch(context), "0");
  const events: string[] = [];
  let opened: PartitionLog | undefined;
  const close = () => {
    opened?.close();
    opened = undefined;
  };
  context.after(close);
  const open = (setting: Setting = {}) => {
    close();
    const log = (event: string) => events.push(event);
    const flusher = new Flusher(1, log);
    const cache = new TailCache(setting.cacheBytes ?? 1_000_000);
    const room = { cache, flusher, maxProducersPerPartition: 10, log };
    opened = new PartitionLog(directory, { ...DEFAULT_OPTIONS, ...setting }, room);
    return opened;
  };
  return { directory, events, open };
}

function append(log: PartitionLog, count: number, options: BatchOptions = {}): void {
  for (let index = 0; index < count; index += 1) {
    const values = [`${log.endOffset}`, `${log.endOffset + 1}`];
    assert.equal(log.append(buildBatch({ ...options, values })).error, ErrorCode.NONE);
  }
}

/** Base offsets of the batches that a read returns. */
function readOffsets(log: PartitionLog, offset: number, maxBytes = 1 << 20, atLeastOne = false): number[] {
  const into: Buffer[] = [];
  const bytes = log.read(offset, maxBytes, atLeastOne, into);
  const all = Buffer.concat(into);
  assert.equal(bytes, all.length);
  const offsets: number[] = [];
  for (let at = 0; at < all.length; at += findBatchSize(all, at)!) {
    offsets.push(readBatchHeader(all.subarray(at)).baseOffset);
  }
  return offsets;
}

/** Reads on from where the last read ended, as a consumer does. */
function consume(log: PartitionLog, from: number, maxBytes: number): number[] {
  const seen: number[] = [];
  for (let offset = from; offset < log.endOffset; offset = seen.at(-1)! + 2) {
    const offsets = readOffsets(log, offset, maxBytes, true);
    assert.ok(offsets.length > 0, `nothing at ${offset}`);
    seen.push(...offsets);
  }
  return seen;
}

const evenNumbers = (count: number) => Array.from({ length: count }, (_, index) => index * 2);

test("what was appended is read back, from memory, from the files, and after a restart", (context) => {
  const { directory, open } = createOpener(context);
  const log = open({ segmentBytes: 2_000, cacheBytes: 1_000 });
  append(log, 200);
  assert.ok(fs.readdirSync(directory).length > 5, "there are several segments");
  assert.deepEqual(consume(log, 0, 500), evenNumbers(200));
  assert.deepEqual(consume(log, 0, 1), evenNumbers(200));
  assert.deepEqual(readOffsets(log, 201, 1 << 20)[0], 200, "an offset within a batch gives the whole batch");

  const again = open({ segmentBytes: 2_000 });
  assert.deepEqual([again.startOffset, again.endOffset], [0, 400]);
  assert.deepEqual(consume(again, 0, 10_000), evenNumbers(200));
  append(again, 1);
  assert.deepEqual(readOffsets(again, 400), [400]);
});

test("a batch that does not fit is left for later, never skipped", (context) => {
  const { open } = createOpener(context);
  const log = open({ cacheBytes: 0, segmentBytes: 300 });
  append(log, 10);
  assert.deepEqual(readOffsets(log, 0, 50), []);
  assert.deepEqual(readOffsets(log, 0, 50, true), [0]);
});

test("wherever a kill tore the last batch, it is cut off and the log goes on after what is whole", (context) => {
  const { directory, events, open } = createOpener(context);
  append(open(), 3);
  const file = path.join(directory, "00000000000000000000.log");
  open();
  const whole = fs.readFileSync(file);
  const lastBatchBytes = whole.length / 3;
  for (let cut = 1; cut < lastBatchBytes; cut += 1) {
    fs.writeFileSync(file, whole.subarray(0, whole.length - cut));
    const log = open();
    assert.equal(log.endOffset, 4, `${cut} bytes cut`);
    assert.equal(fs.statSync(file).size, whole.length - lastBatchBytes);
    append(log, 1);
    assert.deepEqual(readOffsets(open(), 0), [0, 2, 4]);
  }
  assert.equal(events.filter((event) => event === "torn tail cut off").length, lastBatchBytes - 1);
});

test("a tail of the right length but with wrong bytes is cut off, too", (context) => {
  const { directory, open } = createOpener(context);
  append(open(), 3);
  const file = path.join(directory, "00000000000000000000.log");
  const bytes = fs.readFileSync(file);
  bytes.fill(0, bytes.length - 5);
  fs.writeFileSync(file, bytes);
  assert.equal(open().endOffset, 4);
});

test("an idempotent producer is known again after a restart", (context) => {
  const { open } = createOpener(context);
  const batch = buildBatch({ values: ["a", "b"], producerId: 5, baseSequence: 0 });
  append(open(), 1);
  assert.deepEqual(open().append(batch), { error: ErrorCode.NONE, baseOffset: 2 });
  const log = open();
  assert.deepEqual(log.append(batch), { error: ErrorCode.NONE, baseOffset: 2 });
  assert.equal(log.endOffset, 4, "the repeated batch is not stored again");
  const gap = buildBatch({ producerId: 5, baseSequence: 9 });
  assert.equal(log.append(gap).error, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
});

test("records are found by their time, across segments and after a restart", (context) => {
  const { open } = createOpener(context);
  const log = open({ segmentBytes: 1_000 });
  for (let at = 0; at < 50; at += 1) append(log, 1, { timestampMs: 10_000 + at * 100 });
  for (const each of [log, open({ segmentBytes: 1_000 })]) {
    assert.deepEqual(each.findByTime(0), { offset: 0, timestampMs: 10_000 });
    assert.deepEqual(each.findByTime(12_001), { offset: 41, timestampMs: 12_001 });
    assert.deepEqual(each.findByTime(12_002), { offset: 42, timestampMs: 12_100 });
    assert.equal(each.findByTime(99_999), undefined);
  }
});

test("retention by size deletes whole segments from the oldest on", (context) => {
  const { directory, open } = createOpener(context);
  const log = open({ segmentBytes: 1_000, retentionBytes: 2_500, retentionMs: -1 });
  append(log, 50);
  const before = fs.readdirSync(directory).length;
  log.retain(Date.now());
  assert.ok(log.sizeBytes >= 2_500 && log.sizeBytes < 2_500 + 1_000, `${log.sizeBytes} bytes are left`);
  assert.ok(fs.readdirSync(directory).length < before);
  assert.ok(log.startOffset > 0);
  assert.equal(readOffsets(log, log.startOffset)[0], log.startOffset);
  assert.equal(open().startOffset, Number(fs.readdirSync(directory).sort()[0]!.slice(0, 20)));
});

test("retention by age empties a log, which keeps its offsets, also over a restart", (context) => {
  const { open } = createOpener(context);
  const log = open({ segmentBytes: 1_000, retentionMs: 60_000 });
  append(log, 50);
  log.retain(Date.now());
  assert.equal(log.startOffset, 0, "what is young stays");
  log.retain(Date.now() + 61_000);
  assert.deepEqual([log.startOffset, log.endOffset, log.sizeBytes], [100, 100, 0]);
  const again = open();
  append(again, 1);
  assert.deepEqual(readOffsets(again, 100), [100]);
});
