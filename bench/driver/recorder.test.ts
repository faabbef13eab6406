import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadSecond } from "../scenario.ts";
import { Recorder } from "./recorder.ts";

function setUp() {
  const clock = { ms: 0, cpuMs: 0 };
  const heard: LoadSecond[] = [];
  const recorder = new Recorder(
    () => clock.ms,
    () => clock.cpuMs,
    (second) => heard.push(second),
  );
  return { clock, heard, recorder };
}

test("ends, refusals, failures and what was not sent are told apart", () => {
  const { clock, recorder } = setUp();
  recorder.record({ kind: "transfer" }, 10);
  recorder.record({ kind: "transfer", replayed: true }, 1_500);
  recorder.record({ kind: "read" }, 1);
  recorder.record({ kind: "refused", status: 429, retryAfter: true, example: "later" }, 1);
  recorder.record({ kind: "refused", status: 503, retryAfter: false, example: "down" }, 1);
  recorder.record({ kind: "failed", what: "answered 500", example: "oh" }, 1);
  recorder.recordUnsent();
  clock.ms = 2_000;
  clock.cpuMs = 30;
  const figures = recorder.take();
  assert.deepEqual([figures.done, figures.transfers, figures.replays, figures.overOneSecond], [3, 2, 1, 1]);
  assert.deepEqual(figures.refused, { tooMany: 1, unavailable: 1, withRetryAfter: 1 });
  assert.deepEqual([figures.failed, figures.unsent, figures.seconds, figures.driverCpuMs], [1, 1, 2, 30]);
  assert.deepEqual(figures.errorKinds["answered 500"], { count: 1, examples: ["oh"] });
  assert.equal(
    Object.values(figures.errorKinds).reduce((sum, { count }) => sum + count, 0),
    4,
  );
});

test("taking starts anew, and keeps the first examples only", () => {
  const { recorder } = setUp();
  for (let count = 0; count < 10; count++) recorder.record({ kind: "failed", what: "x", example: `${count}` }, 1);
  assert.deepEqual(recorder.take().errorKinds.x, { count: 10, examples: ["0", "1", "2"] });
  const next = recorder.take();
  assert.deepEqual([next.failed, next.done, next.p99Ms], [0, 0, 0]);
  assert.deepEqual(next.errorKinds, {});
});

test("the number of kinds is bounded", () => {
  const { recorder } = setUp();
  for (let count = 0; count < 200; count++) recorder.record({ kind: "failed", what: `kind ${count}`, example: "" }, 1);
  const { errorKinds, failed } = recorder.take();
  assert.equal(failed, 200);
  assert.equal(Object.keys(errorKinds).length, 51);
  assert.equal(errorKinds.other?.count, 150);
});

test("a second has the figures of that second alone", () => {
  const { heard, recorder } = setUp();
  recorder.record({ kind: "transfer" }, 100);
  recorder.record({ kind: "failed", what: "x", example: "" }, 1);
  recorder.endSecond();
  recorder.endSecond();
  assert.deepEqual([heard[0]?.done, heard[0]?.errors], [1, 1]);
  assert.ok(Math.abs(heard[0]!.p50Ms - 100) < 1);
  assert.deepEqual(heard[1], { second: 1, done: 0, errors: 0, p50Ms: 0, p99Ms: 0 });
  assert.deepEqual(recorder.take().perSecond, heard);
});
