import assert from "node:assert/strict";
import { test } from "node:test";
import { change, compareReports } from "./compare.ts";
import { reportOf } from "./report.fixture.ts";

test("CPU is compared as it would be on one machine", () => {
  const lines = compareReports(reportOf(1), reportOf(2, { cpuMsPerTransfer: 2.4 }));
  const normalized = lines.find((line) => line.includes("CPU ms, normalized")) ?? "";
  assert.match(normalized, /1\.600\s+1\.200\s+-25\.0 %/);
  assert.match(lines.find((line) => line.includes("as measured")) ?? "", /1\.600\s+2\.400\s+\+50\.0 %/);
});

test("a scenario that the earlier report has not is named", () => {
  assert.match(compareReports(reportOf(1), reportOf(1, { scenario: "idle" })).join("\n"), /has no idle/);
});

test("a change has its sign, and none where there was nothing", () => {
  assert.deepEqual([change(100, 110), change(100, 90), change(0, 5)], ["+10.0 %", "-10.0 %", "-"]);
});
