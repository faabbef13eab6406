import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { costTable, floorTable, renderCosts, replaceMade } from "./render.ts";

const costs = {
  ...{
    transfersPerSecond: 1_012.4,
    p50Ms: 250,
    p99Ms: 480,
    inFlight: 256,
    driverCpuUs: 99,
    messages: 9,
    othersPercent: 3,
  },
  ...{ errors: 0, findings: [] as string[] },
  cpuUs: { edge: 200, ledger: 100, payment: 4, "postgres:ledger": 50, "postgres:server": 7, launcher: 1 },
  parts: { edge: { http: 150, gc: 50 }, ledger: { sql: 60, gc: 40 }, payment: { kafka: 4 } },
};
const row = { part: "gRPC client", unit: "call", oursUs: 50, floor: "raw grpc-js", floorUs: 100, times: 0.5 } as const;
const report = {
  costs,
  floors: { rows: [row], without: [], errors: 0 },
  calibration: { beforeMs: 95, afterMs: 95, cpuMs: 190, referenceMs: 95, factor: 2, slow: true },
  ...{ commit: "abc1234", at: "2026-11-21T08:30:00.000Z", node: "v26", machine: "2 cores" },
};

/** The cells of a table of Markdown by row and column; an empty cell is 0. */
function cellsOf(table: string): Map<string, Map<string, number>> {
  const [head = [], , ...rows] = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return new Map(rows.map((cells) => [cells[1]!, new Map(cells.map((cell, index) => [head[index]!, Number(cell)]))]));
}

test("rows and columns of the cost table add up to what /proc tells", () => {
  const cells = cellsOf(costTable(costs));
  const at = (name: string, column: string) => cells.get(name)?.get(column);
  assert.equal(at("HTTP and JSON", "edge"), 150);
  assert.equal(at("garbage collector", "all"), 90);
  assert.equal(at("Kafka client", "others"), 4, "a process without a column is among the others");
  assert.equal(at("**Node, together**", "edge"), 200);
  assert.equal(at("**PostgreSQL**, by database", "ledger"), 50);
  assert.equal(at("**PostgreSQL**, by database", "others"), 7, "PostgreSQL's own processes");
  assert.equal(at("**all**", "ledger"), 150);
  assert.equal(at("**all**", "all"), 362);
  const parts = [...cells].filter(([name]) => !name.startsWith("**"));
  const sum = parts.reduce((total, [, columns]) => total + (columns.get("all") ?? 0), 0);
  assert.equal(sum, at("**Node, together**", "all"));
  assert.equal(at("without a profile", "all"), 1, "the launcher");
  assert.equal(cells.has("JWT"), false, "rows of nothing are left out");
});

test("a floor stands beside its part, for a unit and for a transfer", () => {
  const message = { ...row, part: "Kafka client", unit: "message", oursUs: 20, floorUs: 40 } as const;
  const cells = floorTable([row, message], 9)
    .split("\n")
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(cells[0]?.slice(1, -1), [
    ...["gRPC client", "call", "50.0", "raw grpc-js", "100.0", "0.50", "1", "50", "100"],
  ]);
  assert.deepEqual(cells[1]?.slice(-5, -1), ["0.50", "9.0", "180", "360"]);
});

test("the figures are told with date, commit and calibration, and what went wrong is not hidden", () => {
  const made = renderCosts(report);
  for (const fact of ["2026-11-21 08:30 UTC", "`abc1234`", "2.00 of the reference", "362 us", "181 on the reference"])
    assert.ok(made.includes(fact), fact);
  assert.doesNotMatch(made, /did not hold|Errors|Left out|not quiet/);
  const wrong = renderCosts({
    ...report,
    costs: { ...costs, findings: ["I1: off by 3"], othersPercent: 31 },
    floors: { rows: [row], without: ["pgbench: there is none"], errors: 2 },
  });
  for (const fact of [
    "did not hold:** I1: off by 3",
    "**Errors:** 2.",
    "Left out: pgbench: there is none.",
    "not quiet:** 31 %",
  ])
    assert.ok(wrong.includes(fact), fact);
});

test("what was made replaces what was made before, and nothing else; the page has its marks", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/performance.md"), "utf8");
  const once = replaceMade(page, renderCosts(report));
  const twice = replaceMade(once, renderCosts({ ...report, commit: "def5678" }));
  assert.ok(twice.includes("def5678") && !twice.includes("abc1234"));
  assert.equal(replaceMade(twice, renderCosts(report)), once);
  assert.ok(once.startsWith(page.slice(0, page.indexOf("<!--"))));
  assert.throws(() => replaceMade("no marks", "x"), /marks|must have/);
  assert.throws(() => replaceMade(once + once, "x"), /once each/);
});
