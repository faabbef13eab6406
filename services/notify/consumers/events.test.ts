import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import type { MemberEvent } from "../app/record-events.ts";
import { publishCompleted } from "../notify.fixture.ts";
import { readEventTypes } from "./event-types.ts";
import { createEvents } from "./events.ts";

test("a clock that is set back is not waited for", async (t) => {
  const bus = createMemoryBus();
  const recorded: MemberEvent[] = [];
  const events = createEvents({
    ...{ bus, types: readEventTypes() },
    findSubscribed: async (memberIds) => new Set(memberIds),
    record: async (heard) => void recorded.push(...heard),
  });
  await events.start?.();
  t.after(async () => {
    await events.stop?.();
    await bus.close();
  });
  const hear = async () => {
    const transferId = await publishCompleted(bus, newUuid());
    for (const endMs = performance.now() + 5_000; !recorded.some(({ subject }) => subject === transferId); ) {
      assert.ok(performance.now() < endMs, "it was not heard in time");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await hear();
  const { now } = Date;
  t.mock.method(Date, "now", () => now() - 3_600_000);
  await hear();
});
