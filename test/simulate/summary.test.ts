import assert from "node:assert/strict";
import { test } from "node:test";
import { summarize } from "./summary.ts";
import type { SeedReport } from "./world.ts";

const report = (seed: number, more: Partial<SeedReport> = {}): SeedReport => ({
  ...{ seed, findings: [], faults: { crash: 2 }, ends: { "transfer COMPLETED": 3 }, counts: {} },
  ...{ steps: 10, elapsedMs: 1_000, trace: `${seed}` },
  ...more,
});
const many = (count: number, more?: Partial<SeedReport>) =>
  Array.from({ length: count }, (_, index) => report(index + 1, more));

test("a seed that found something fails the run, and is named", () => {
  const summary = summarize([report(1), report(2, { findings: ["I1: gone"] })], 4);
  assert.deepEqual([summary.ok, summary.failures], [false, [{ seed: 2, findings: ["I1: gone"] }]]);
  assert.deepEqual([summary.faults.crash, summary.steps, summary.secondsPerSeed], [4, 20, 2]);
});

test("a run in which hardly anything went wrong is no proof", () => {
  assert.equal(summarize(many(3), 1).ok, true);
  assert.equal(summarize(many(3, { faults: {} }), 1).ok, false);
  const { ok, vacuous } = summarize(many(100), 1);
  assert.equal(ok, false);
  assert.ok(vacuous.includes("broker away: 0 times") && vacuous.includes("no transfer PARKED"));
  assert.ok(!vacuous.some((what) => what.startsWith("crash")));
});

test("traces are compared where a seed ran twice", () => {
  const summary = summarize([report(1, { replay: "1" }), report(2, { replay: "x" })], 1);
  assert.deepEqual(summary.replayed, { twice: 2, same: 1 });
  assert.equal(summarize([report(1)], 1).replayed, undefined);
});
