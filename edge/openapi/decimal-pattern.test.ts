import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decimalPattern } from "./decimal-pattern.ts";

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

test("a range's pattern takes what is in it and nothing beside it", () => {
  const range = fc
    .tuple(fc.bigInt(INT64), fc.bigInt(INT64))
    .map(([a, b]) => (a < b ? { min: a, max: b } : { min: b, max: a }));
  const near = (edge: bigint) => [edge - 10n, edge - 1n, edge, edge + 1n, edge + 10n, edge * 10n, edge / 10n];
  fc.assert(
    fc.property(range, fc.bigInt(INT64), ({ min, max }, any) => {
      const pattern = new RegExp(decimalPattern(min, max));
      for (const value of [any, 0n, ...near(min), ...near(max)])
        assert.equal(pattern.test(String(value)), min <= value && value <= max, `${value} of ${min} to ${max}`);
    }),
    { numRuns: 2_000 },
  );
});

test("small ranges are taken number by number", () => {
  for (let min = -25n; min <= 120n; min += 5n)
    for (let max = min; max <= 130n; max += 3n) {
      const pattern = new RegExp(decimalPattern(min, max));
      for (let value = -40n; value < 140n; value++)
        assert.equal(pattern.test(String(value)), min <= value && value <= max, `${value} of ${min} to ${max}`);
    }
});

test("other ways to write a number are not taken", () => {
  const pattern = new RegExp(decimalPattern(INT64.min, INT64.max));
  for (const text of ["", "-", "-0", "00", "01", "+1", "1.0", "1e2", " 1", "0x1"]) assert.doesNotMatch(text, pattern);
});
