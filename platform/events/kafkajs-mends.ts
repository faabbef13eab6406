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
  requestTimeout: number;
  requestTimeoutIntervalId: NodeJS.Timeout | undefined;
  isConnected(): boolean;
  destroy(): void;
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

/** Requests wait for seconds, so a time-out may be noticed a second late. */
const TIMEOUT_CHECK_MS = 1_000;

/**
 * Each connection looks for requests that are over their time ten times a second: with three of them a process
 * that does nothing woke up thirty times a second, which was a sixth of what an idle platform used.
 */
function mendTimeoutCheck(): void {
  const { prototype } = require("kafkajs/src/network/requestQueue/index.js") as { prototype: RequestQueue };
  prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue): void {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    this.requestTimeoutIntervalId = setInterval(
      () => {
        const nowMs = Date.now();
        for (const request of [...this.inflight.values()])
          if (nowMs - request.sentAt > request.requestTimeout) request.timeoutRequest();
        if (!this.isConnected()) this.destroy();
      },
      Math.min(this.requestTimeout, TIMEOUT_CHECK_MS),
    );
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

export const { Kafka, logLevel } = require("kafkajs") as typeof KafkaJs;
