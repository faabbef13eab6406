import assert from "node:assert/strict";
import { test } from "node:test";
import { recoverySeconds } from "./overload.ts";

const second = (index: number, p99Ms: number, errors = 0) => ({ second: index, done: 100, errors, p50Ms: 1, p99Ms });

test("it is over when p99 is usual and nothing is refused, for good", () => {
  const seconds = [second(0, 9_000), second(1, 50), second(2, 50, 3), second(3, 400), second(4, 140), second(5, 60)];
  assert.equal(recoverySeconds(seconds, 50), 4);
  assert.equal(recoverySeconds(seconds, 300), 3);
});

test("at once, or never", () => {
  assert.equal(recoverySeconds([second(0, 10), second(1, 10)], 10), 0);
  assert.equal(recoverySeconds([second(0, 999), second(1, 999)], 10), 2);
});
