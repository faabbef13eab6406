import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuBetween, machineBetween, processesOf, readMachineTicks, sumOf } from "./cpu.ts";

test("a process counts for the nearest root above it, and others for none", () => {
  const all = [
    { pid: 2, parent: 1, ticks: 1 },
    { pid: 3, parent: 2, ticks: 2 },
    { pid: 4, parent: 3, ticks: 4 },
    { pid: 5, parent: 1, ticks: 8 },
  ];
  const found = processesOf({ launcher: 2, edge: 3 }, all);
  assert.deepEqual(
    found.map(({ pid, name }) => [pid, name]),
    [
      [2, "launcher"],
      [3, "edge"],
      [4, "edge"],
    ],
  );
});

test("what a backend had used before it ended moves to its server, and the sum stays right", () => {
  const before = { "postgres:ledger": 100, "postgres:server": 10 };
  const after = { "postgres:server": 130 };
  const used = cpuBetween(before, after);
  assert.deepEqual(used, { "postgres:ledger": -100, "postgres:server": 120 });
  assert.equal(sumOf(used), 20);
});

test("idle and stolen time are shares of all cores", () => {
  const before = readMachineTicks("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1\n");
  const after = readMachineTicks("cpu  150 0 120 900 110 0 0 20 50 0\n");
  assert.deepEqual(machineBetween(before, after), { idlePercent: 70, stealPercent: (20 / 300) * 100 });
});
