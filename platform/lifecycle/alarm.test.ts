import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@ferry/platform/telemetry";
import { createAlarm } from "./alarm.ts";

test("rings at the earliest time that it was told of, and on after a failure", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  const rings: number[] = [];
  const alarm = createAlarm({
    what: "it failed",
    async ring() {
      rings.push(Date.now());
      if (rings.length === 2) throw new Error("the database is away");
      return Date.now() + 60_000;
    },
    ...{ pollMs: 2_000, logger: silentLogger, now: Date.now },
  });
  const passes = async (ms: number) => {
    context.mock.timers.tick(ms);
    for (let count = 0; count < 5; count++) await Promise.resolve();
  };
  alarm.wakeBy(0);
  await passes(5);
  assert.deepEqual(rings, [], "not before its start");
  alarm.start();
  await passes(0);
  alarm.wakeBy(505);
  alarm.wakeBy(1_500);
  await passes(500);
  assert.deepEqual(rings, [5, 505]);
  await passes(1_999);
  assert.equal(rings.length, 2);
  await passes(1);
  assert.deepEqual(rings, [5, 505, 2_505], "after a failure it looks again after the poll's time");
  await passes(2_000);
  assert.equal(rings.at(-1), 4_505, "however far the next is, it looks for what others left");
  await alarm.stop();
  alarm.wakeBy(4_600);
  await passes(5_000);
  assert.equal(rings.length, 4);
});

test("what it is told of while it rings is not lost", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 0 });
  const rings: number[] = [];
  const alarm = createAlarm({
    what: "it failed",
    async ring() {
      rings.push(Date.now());
      if (rings.length === 1) alarm.wakeBy(100);
      return Date.now() + 60_000;
    },
    ...{ pollMs: 2_000, logger: silentLogger, now: Date.now },
  });
  alarm.start();
  context.mock.timers.tick(0);
  for (let count = 0; count < 5; count++) await Promise.resolve();
  context.mock.timers.tick(100);
  assert.deepEqual(rings, [0, 100]);
  await alarm.stop();
});
