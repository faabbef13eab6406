import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { until } from "../../test/support/until.ts";
import { watch } from "./kafka-watchdog.ts";

/** A watchdog over a partition from `low` to `high`, of a group that has committed so far. It is ended with the test. */
function watching(context: TestContext, { low, high, committed }: { low: string; high: string; committed: string }) {
  const seen: { looks: number; stalled?: Error } = { looks: 0 };
  const admin = {
    connect: async () => {},
    disconnect: async () => {},
    fetchOffsets: async () => [{ topic: "t", partitions: [{ partition: 0, offset: committed, metadata: null }] }],
    async fetchTopicOffsets() {
      seen.looks++;
      return [{ partition: 0, offset: high, high, low }];
    },
  };
  const stopping = new AbortController();
  context.after(() => stopping.abort());
  watch({
    ...{ group: "g", topics: ["t"], logger: silentLogger, stopping: stopping.signal, stallMs: 1, lookMs: 1 },
    kafka: { admin: () => admin as unknown as KafkaJs.Admin },
    assigned: () => ({ t: [0] }),
    onStall(error) {
      seen.stalled = error;
    },
  });
  return seen;
}

// What no broker does at will, a week of retention, is told by an admin of this file.

test("messages that retention took away before they were handled are no stall", async (context) => {
  const seen = watching(context, { low: "100", high: "100", committed: "90" });
  await until("three looks", () => (seen.looks >= 3 ? true : undefined));
  assert.equal(seen.stalled, undefined);
});

test("of a group that has committed nothing, what is there counts, and so does what is left behind what went away", async (context) => {
  for (const committed of ["-1", "90"]) {
    const seen = watching(context, { low: "100", high: "103", committed });
    const error = await until("the stall", () => seen.stalled);
    assert.match(error.message, /g: 3 messages wait/);
  }
});

test("a clock that is set back does not put the watchdog to sleep", async (context) => {
  const now = Date.now;
  const seen = watching(context, { low: "0", high: "1", committed: "0" });
  context.mock.method(Date, "now", () => now() - 3_600_000);
  const error = await until("the stall", () => seen.stalled);
  assert.match(error.message, /g: 1 messages wait/);
});
