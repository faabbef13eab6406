import assert from "node:assert/strict";
import { test } from "node:test";
import { calibrationOf, REFERENCE_MS, SLOW_FACTOR, WORK_RESULT } from "./calibration.ts";
import { work } from "./calibration-work.ts";

test("the work is the same each time, and all of it is in its result", () => {
  assert.equal(work(), WORK_RESULT);
  assert.equal(work(2), work(2));
  assert.notEqual(work(2), work(3));
});

test("a machine is slow from the factor by which a transfer may cost more", () => {
  const even = calibrationOf(REFERENCE_MS, REFERENCE_MS);
  assert.deepEqual([even.cpuMs, even.factor, even.slow], [REFERENCE_MS, 1, false]);
  const slow = calibrationOf(REFERENCE_MS, REFERENCE_MS * (2 * SLOW_FACTOR - 1));
  assert.deepEqual([slow.factor, slow.slow], [SLOW_FACTOR, true]);
  assert.equal(SLOW_FACTOR, 2 / 1.6);
});
