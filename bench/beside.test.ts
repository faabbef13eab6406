import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type BesideReport, isWell, summarizeBeside, whyNotBeside } from "./beside.ts";
import type { Turn } from "./turns.ts";

const turn = (transfersPerSecond: number, change: Partial<Turn> = {}): Turn => ({
  ...{ transfersPerSecond, cpuMsPerTransfer: 1_600 / transfersPerSecond, p99Ms: 400, errors: 0 },
  byProcess: { transfer: 0.5, launcher: 0.0001 },
  ...change,
});

const report = (change: Partial<BesideReport> = {}): BesideReport => ({
  ...{ format: "ferry-bench-beside-1", startedAt: "2026-11-22T00:00:00Z", other: "/before", inFlight: 256 },
  ...{ secondsOfATurn: 3, before: [turn(1_000), turn(500)], now: [turn(900), turn(450)], booksFindings: [] },
  ...change,
});

test("the summary has the change, how sure it is, and the processes that count", () => {
  const lines = summarizeBeside(report()).join("\n");
  assert.match(lines, /transfers a second\s+750\s+675\s+-10\.0 %\s+0\.0 %/);
  assert.match(lines, /of it transfer\s+0\.500\s+0\.500\s+\+0\.0 %/);
  assert.doesNotMatch(lines, /launcher/);
  assert.match(lines, /errors 0 and 0; books hold/);
});

test("a failed request of either, or a breach in the books, is not well", () => {
  assert.ok(isWell(report()));
  assert.ok(!isWell(report({ before: [turn(1_000, { errors: 1 })] })));
  assert.ok(!isWell(report({ booksFindings: ["I1: a sum is not zero"] })));
});

test("a folder that is no checkout, or is not set up, is named before anything starts", () => {
  const folder = mkdtempSync(join(tmpdir(), "ferry-beside-"));
  try {
    assert.match(whyNotBeside(folder) ?? "", /no checkout of Ferry in .*ferry-beside-/);
    mkdirSync(join(folder, "local"));
    writeFileSync(join(folder, "local", "up.ts"), "");
    assert.match(whyNotBeside(folder) ?? "", /npm ci/);
    mkdirSync(join(folder, "node_modules"));
    assert.equal(whyNotBeside(folder), undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
