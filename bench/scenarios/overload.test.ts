import assert from "node:assert/strict";
import { test } from "node:test";
import { recoverySeconds } from "./overload.ts";

const second = (index: number, p99Ms: number, errors = 0) => ({ second: index, done: 100, errors, p50Ms: 1, p99Ms });

const usual = (from: number, count: number) => Array.from({ length: count }, (_, index) => second(from + index, 50));

test("it is over when p99 is usual for five seconds, and nothing is refused any more", () => {
  const seconds = [second(0, 9_000), second(1, 50), second(2, 400), ...usual(3, 5), second(8, 400), ...usual(9, 5)];
  assert.equal(recoverySeconds(seconds, 50), 3);
  assert.equal(recoverySeconds(seconds, 300), 1);
  assert.equal(recoverySeconds([...usual(0, 6), second(6, 50, 3), ...usual(7, 5)], 50), 7);
});

test("at once, or never", () => {
  assert.equal(recoverySeconds(usual(0, 6), 50), 0);
  assert.equal(recoverySeconds([second(0, 999), ...usual(1, 4)], 50), 5);
});
