import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

test("an empty environment gives the documented defaults", () => {
  assert.deepEqual(readConfig({}), {
    port: 9092,
    directory: ".ferry/broker",
    host: "127.0.0.1",
    retentionMs: 604_800_000,
    retentionBytes: 1_073_741_824,
    flushIntervalMs: 1000,
    autoCreateTopics: false,
  });
});

test("every wrong variable is named, and another host than loopback is one", () => {
  const wrong = { FERRY_BROKER_PORT: "70000", FERRY_BROKER_HOST: "0.0.0.0", FERRY_BROKER_FLUSH_MS: "soon" };
  assert.throws(() => readConfig(wrong), /FERRY_BROKER_PORT(.|\n)*FERRY_BROKER_HOST(.|\n)*FERRY_BROKER_FLUSH_MS/);
});
