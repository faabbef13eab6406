import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProcessSample } from "../scenario.ts";
import { memoryGrowth } from "./growth.ts";

test("memory grows by the last tenth over the second one, whatever was at the start", () => {
  const samples = Array.from({ length: 11 }, (_, index) => ({
    atSeconds: index * 60,
    cpuPercent: {},
    memoryMiB: { edge: index === 0 ? 1 : 100 + index, flat: 50 },
  }));
  const growth = memoryGrowth(samples, 600);
  assert.equal(growth.flat, 1);
  assert.equal(growth.edge, (109 + 110) / 2 / ((101 + 102) / 2));
});

test("a process without samples in both is left out", () => {
  const samples: ProcessSample[] = [
    { atSeconds: 15, cpuPercent: {}, memoryMiB: { a: 1 } },
    { atSeconds: 95, cpuPercent: {}, memoryMiB: { a: 2, b: 1 } },
    { atSeconds: 96, cpuPercent: {} },
  ];
  assert.deepEqual(memoryGrowth(samples, 100), { a: 2 });
});
