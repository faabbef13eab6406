/**
 * The one place where kafkajs 2.2.4 is mended, and the only way to it.
 *
 * Each mend has a test in kafkajs-mends.test.ts that fails when a new release makes it superfluous.
 * They must be in place before kafkajs loads, because its modules keep what they require.
 */
import { createRequire } from "node:module";
import type * as KafkaJs from "kafkajs";
import { batchClass, batchDecoder, decodeRecord } from "./kafkajs-fetch.ts";
import { groupByPartition } from "./kafkajs-partitions.ts";
import { frameRequest, produceRequest } from "./kafkajs-produce.ts";

const require = createRequire(import.meta.url);

function replaceModule(path: string, exports: unknown): void {
  const id = require.resolve(`kafkajs/src/${path}`);
  const children: NodeJS.Module[] = [];
  require.cache[id] = { id, filename: id, loaded: true, exports, children, paths: [], path: "", require } as never;
}

/** Puts something that stands before a module of kafkajs in its place. */
function wrapModule<Module>(path: string, wrap: (original: Module) => unknown): void {
  replaceModule(path, wrap(require(`kafkajs/src/${path}`) as Module));
}

interface RequestQueue {
  pending: unknown[];
  inflight: ReadonlyMap<number, { sentAt: number; requestTimeout: number; timeoutRequest(): void }>;
  enforceRequestTimeout: boolean;
  /** The least that any request has, in milliseconds. */
  requestTimeout: number;
  requestTimeoutIntervalId: NodeJS.Timeout | undefined;
  destroy(): void;
  sendSocketRequest(request: unknown): void;
  scheduleRequestTimeoutCheck(): void;
  scheduleCheckPendingRequests(): void;
}

/**
 * An idle connection must not wake up: the request queue schedules a check of its pending requests
 * again and again although none is pending, with a delay that is negative.
 */
function mendIdleLoop(): void {
  const { prototype } = require("kafkajs/src/network/requestQueue/index.js") as { prototype: RequestQueue };
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) original.call(this);
  };
}

/** Looks at each request that is waited for, and again when the next of them may be over its time. */
function giveUpLate(queue: RequestQueue): void {
  queue.requestTimeoutIntervalId = undefined;
  const nowMs = Date.now();
  let nextMs = Number.POSITIVE_INFINITY;
  for (const request of [...queue.inflight.values()]) {
    const leftMs = request.sentAt + request.requestTimeout - nowMs;
    if (leftMs < 0) request.timeoutRequest();
    else nextMs = Math.min(nextMs, leftMs + 1);
  }
  if (nextMs === Number.POSITIVE_INFINITY) return;
  clearTimeout(queue.requestTimeoutIntervalId); // What was given up may have let another one go out.
  queue.requestTimeoutIntervalId = undefined;
  lookForLateIn(queue, nextMs);
}

/** Never waits for longer than any request may take: what is sent meanwhile is not over its time before. */
function lookForLateIn(queue: RequestQueue, waitMs: number): void {
  queue.requestTimeoutIntervalId ??= setTimeout(giveUpLate, Math.min(waitMs, queue.requestTimeout), queue).unref();
}

/**
 * Each connection looks for requests that are over their time ten times a second, whether it waits for one or not:
 * with three of them a process that does nothing woke up thirty times a second, which was a sixth of what an idle
 * platform used. Here it looks when the first may be over its time, and not at all while it waits for none.
 */
function mendTimeoutCheck(): void {
  const { prototype } = require("kafkajs/src/network/requestQueue/index.js") as { prototype: RequestQueue };
  const { destroy, sendSocketRequest } = prototype;
  prototype.destroy = function (this: RequestQueue): void {
    destroy.call(this);
    this.requestTimeoutIntervalId = undefined;
  };
  prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue): void {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    if (this.inflight.size > 0) lookForLateIn(this, this.requestTimeout);
  };
  prototype.sendSocketRequest = function (this: RequestQueue, request: unknown): void {
    sendSocketRequest.call(this, request);
    if (this.enforceRequestTimeout && this.inflight.size > 0) lookForLateIn(this, this.requestTimeout);
  };
}

interface FetchedBatch {
  isEmpty(): boolean;
  /** Its messages are none for the consumer, as markers of transactions: the consumer must move past them. */
  isEmptyDueToFiltering(): boolean;
}

/**
 * An answer with nothing new goes to no worker. kafkajs makes a batch of each partition that has nothing, and for
 * them wakes all its workers, as many as partitions may be handled at once. Where there is no batch it heart-beats
 * as well, and that is all that its workers do with an empty one.
 */
function mendEmptyFetches(): void {
  const { prototype } = require("kafkajs/src/consumer/consumerGroup.js") as {
    prototype: { fetch(nodeId: unknown): Promise<FetchedBatch[]> };
  };
  const { fetch } = prototype;
  prototype.fetch = async function (this: unknown, nodeId: unknown): Promise<FetchedBatch[]> {
    const batches = await fetch.call(this, nodeId);
    return batches.filter((batch) => !batch.isEmpty() || batch.isEmptyDueToFiltering());
  };
}

replaceModule("producer/groupMessagesPerPartition.js", groupByPartition);
wrapModule("protocol/requests/produce/v3/request.js", produceRequest);
replaceModule("protocol/request.js", frameRequest);
replaceModule("protocol/recordBatch/record/v0/decoder.js", decodeRecord); // Before what requires it.
wrapModule("protocol/recordBatch/v0/decoder.js", batchDecoder);
wrapModule("consumer/batch.js", batchClass);
mendIdleLoop();
mendTimeoutCheck();
mendEmptyFetches(); // After the batch's class, which it is made with.

export const { Kafka, logLevel } = require("kafkajs") as typeof KafkaJs;
