import assert from "node:assert/strict";
import { test } from "node:test";
import { createSchedule } from "./schedule.ts";

test("requests are due evenly from the start, none twice, none left out", () => {
  const schedule = createSchedule(1_000, 4);
  assert.deepEqual(schedule.due(999), []);
  assert.deepEqual(schedule.due(1_000), [1_000]);
  assert.deepEqual(schedule.due(1_249), []);
  assert.deepEqual(schedule.due(1_750), [1_250, 1_500, 1_750]);
  assert.deepEqual(schedule.due(1_750), []);
});

test("after a stall every request that was due comes with the time at which it was", () => {
  const schedule = createSchedule(0, 1_000);
  schedule.due(0);
  const late = schedule.due(500);
  assert.equal(late.length, 500);
  assert.deepEqual([late[0], late.at(-1)], [1, 500]);
});
