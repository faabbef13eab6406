import assert from "node:assert/strict";
import { test } from "node:test";
import { ratioOf } from "./turns.ts";

test("twins are compared, so a machine that is half as fast in one round changes nothing", () => {
  const { mean, standardError } = ratioOf([1_000, 500, 250], [900, 450, 225]);
  assert.ok(Math.abs(mean - 0.9) < 1e-12);
  assert.ok(standardError < 1e-12);
});

test("the standard error is that of the mean: ratios of 0.9 and 1.1 are sure to 0.1", () => {
  const { mean, standardError } = ratioOf([1, 1], [0.9, 1.1]);
  assert.ok(Math.abs(mean - 1) < 1e-12);
  assert.ok(Math.abs(standardError - 0.1) < 1e-12);
});
