import assert from "node:assert/strict";
import { test } from "node:test";
import { compete, tallyOf, timesFloor } from "./contest.ts";
import { measuredOf } from "./part-scenario.ts";

const figures = { errors: 0, example: "", p50Ms: 2, p99Ms: 9 };
const contender = (name: string, counted?: string[]) => ({
  ...{ name, roots: {}, counted },
  run: async () => ({ ...figures, count: 1, seconds: 1 }),
});

test("a tally is the work of all rounds over the CPU of the processes that count", () => {
  const tally = tallyOf(contender("ours", ["edge"]), [
    { ...figures, count: 100, seconds: 1, cpuMs: { edge: 20, backend: 5 } },
    { ...figures, count: 300, seconds: 1, cpuMs: { edge: 40, backend: 15 }, p99Ms: 30, errors: 1, example: "no" },
  ]);
  assert.equal(tally.cpuUs, 150);
  assert.deepEqual(tally.cpuUsByProcess, { edge: 150, backend: 50 });
  assert.deepEqual(tally.rounds.map(Math.round), [200, 133]);
  assert.deepEqual([tally.perSecond, tally.p50Ms, tally.p99Ms, tally.errors, tally.example], [200, 2, 30, 1, "no"]);
});

test("a floor is compared over the processes that both have", () => {
  const tally = (name: string, cpuMs: Record<string, number>) =>
    tallyOf(contender(name), [{ ...figures, count: 1, seconds: 1, cpuMs }]);
  const ours = tally("ferry", { node: 3, postgres: 2 });
  assert.equal(timesFloor(ours, tally("pg", { node: 1, postgres: 1 })), 2.5);
  assert.equal(timesFloor(ours, tally("pgbench", { postgres: 4 })), 0.5);
  assert.equal(timesFloor(ours, tally("none", {})), 0);
  const pgbench = tally("pgbench", { postgres: 4 });
  const report = measuredOf({ tallies: [ours, pgbench], machine: { idlePercent: 1, stealPercent: 0 } });
  assert.equal(report.cpuMsPerTransfer, 5);
  assert.equal(report.facts["times pgbench"], 0.5);
});

test("contenders take turns in one order and in the other, after a warm-up each; errors there end the contest", async () => {
  const turns: string[] = [];
  const player = (name: string, errors = 0) => ({
    ...contender(name),
    run: async (seconds: number) => {
      turns.push(`${name}${seconds}`);
      return { ...figures, errors, example: "broken", count: 1, seconds };
    },
  });
  const options = { seconds: 8, rounds: 2, warmUpSeconds: 1, log: () => {} };
  const { tallies } = await compete([player("a"), player("b")], options);
  assert.deepEqual(turns, ["a1", "b1", "a4", "b4", "b4", "a4"]);
  assert.deepEqual(
    tallies.map(({ count, seconds }) => [count, seconds]),
    [
      [2, 8],
      [2, 8],
    ],
  );
  await assert.rejects(compete([player("c", 3)], options), /c: 3 errors while warming up, the first: broken/);
});
