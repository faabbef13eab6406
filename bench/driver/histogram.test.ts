import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram } from "./histogram.ts";

test("a percentile is that of the sorted durations, at most 1 % too high", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.02, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      fc.constantFrom(0, 0.5, 0.9, 0.99, 1),
      (durations, share) => {
        const histogram = new Histogram();
        for (const ms of durations) histogram.add(ms);
        const sorted = durations.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1]!;
        const found = histogram.percentile(share);
        assert.ok(found >= exact * 0.9999 && found <= exact * 1.01, `${found} for ${exact}`);
      },
    ),
  );
});

test("more than a second is counted exactly, and a second itself is not more", () => {
  const histogram = new Histogram();
  for (const ms of [999, 1_000, 1_000.01, 5_000]) histogram.add(ms);
  assert.deepEqual([histogram.count, histogram.overOneSecond], [4, 2]);
});

test("an empty or cleared one has no percentiles, and what is out of range is kept at its ends", () => {
  const histogram = new Histogram();
  assert.equal(histogram.percentile(0.99), 0);
  histogram.add(0);
  histogram.add(1e12);
  assert.equal(histogram.count, 2);
  assert.ok(histogram.percentile(0.5) < 0.02);
  assert.ok(histogram.percentile(1) > 3_600_000);
  histogram.clear();
  assert.deepEqual([histogram.count, histogram.overOneSecond, histogram.percentile(0.5)], [0, 0, 0]);
});
