/**
 * The one place where kafkajs 2.2.4 is mended, and the only way to it.
 *
 * Each mend has a test in kafkajs-mends.test.ts that fails when a new release makes it superfluous.
 * They must be in place before kafkajs loads, because its modules keep what they require.
 */
import { createRequire } from "node:module";
import type * as KafkaJs from "kafkajs";
import { decodeRecord, encodeRecord, groupByPartition } from "./kafkajs-records.ts";

const require = createRequire(import.meta.url);

function replaceModule(path: string, exports: unknown): void {
  const id = require.resolve(`kafkajs/src/${path}`);
  const children: NodeJS.Module[] = [];
  require.cache[id] = { id, filename: id, loaded: true, exports, children, paths: [], path: "", require } as never;
}

interface RequestQueue {
  pending: unknown[];
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

replaceModule("protocol/recordBatch/record/v0/index.js", encodeRecord);
replaceModule("protocol/recordBatch/record/v0/decoder.js", decodeRecord);
replaceModule("producer/groupMessagesPerPartition.js", groupByPartition);
mendIdleLoop();

export const { Kafka, logLevel } = require("kafkajs") as typeof KafkaJs;
