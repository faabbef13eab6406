import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, explain, reasonOf, toResult } from "./result.ts";
import type { DriverReport } from "./workload/program.ts";

const peer = { name: "dbos", note: "a library" };
const report: DriverReport = {
  transfers: 2_000,
  windowSeconds: 8,
  p50Ms: 180.4,
  p99Ms: 350.6,
  cpuMs: { program: 4_000, "postgres:server": 10_000, "postgres:peer": -1_000 },
  othersCores: 0.05,
  errors: 0,
  firstError: null,
  faults: [],
};

test("a report becomes figures for a second and for a transfer, over all processes", () => {
  assert.deepEqual(toResult(peer, report), {
    peer: "dbos",
    note: "a library",
    transfersPerSecond: 250,
    p50Ms: 180.4,
    p99Ms: 350.6,
    cpuMsPerTransfer: 6.5,
    booksOk: true,
  });
});

test("the books hold only without a fault and without a failed transfer", () => {
  for (const wrong of [{ faults: ["3 holds are open"] }, { errors: 1, firstError: "lost" }]) {
    const result = toResult(peer, { ...report, ...wrong });
    assert.equal("booksOk" in result && result.booksOk, false);
    assert.match(describe(result), /BOOKS DO NOT HOLD/);
  }
});

test("a window without a transfer gives the first error instead of figures", () => {
  const result = toResult(peer, { ...report, transfers: 0, errors: 200, firstError: "connection refused" });
  assert.deepEqual(result, {
    peer: "dbos",
    note: "a library",
    unavailable: "It completed no transfer: connection refused",
  });
  assert.equal(describe(result), "dbos is left out: It completed no transfer: connection refused");
});

test("a line says what a person compares", () => {
  assert.equal(
    describe(toResult(peer, report)),
    "dbos: 250 transfers/s, p50 180 ms, p99 351 ms, 6.50 ms of CPU each, books hold",
  );
});

test("the lines behind the figures name failures and faults", () => {
  const lines = explain({ ...report, errors: 2, firstError: "lost", faults: ["3 holds are open"] });
  assert.match(lines[0]!, /program 2\.00, postgres:server 5\.00; other processes kept 0\.05 cores busy/);
  assert.deepEqual(lines.slice(1), ["  2 transfers failed, the first with: lost", "  books: 3 holds are open"]);
});

test("a reason is one line, whatever was thrown", () => {
  assert.equal(reasonOf(new Error("npm ci failed\n  npm error  404")), "npm ci failed npm error 404");
  assert.equal(reasonOf("gone"), "gone");
});
