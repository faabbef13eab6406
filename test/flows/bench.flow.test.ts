// `npm run bench` as a person runs it, for two seconds and at low load: the report has what it promises.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import type { BenchReport } from "../../bench/scenario.ts";
import { hasProc } from "../support/processes.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** An edge whose machine stood still for a second would refuse what comes next, and that counts as an error. */
const env = { ...process.env, FERRY_MAX_LOOP_LAG_MS: "5000" };
const folder = mkdtempSync(join(tmpdir(), "ferry-bench-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function runBench(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((done) => {
    const command = [join(REPOSITORY, "bench/main.ts"), ...args];
    execFile(process.execPath, command, { cwd: REPOSITORY, env }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), output: out + err }),
    );
  });
}

test("it measures a fresh platform, checks its books, and compares with an earlier report", {
  skip: !hasProc,
}, async () => {
  const json = join(folder, "report.json");
  const load = ["--seconds", "2", "--warm-up", "1", "--in-flight", "4", "--accounts", "16"];
  const { code, output } = await runBench("--scenario", "bank-transfers", ...load, "--json", json);
  assert.equal(code, 0, output);
  const report = JSON.parse(readFileSync(json, "utf8")) as BenchReport;
  const [measured] = report.scenarios;
  assert.ok(measured !== undefined && report.scenarios.length === 1);
  assert.deepEqual(
    [measured.scenario, measured.unit, measured.booksOk, measured.errors],
    ["bank-transfers", "transfer", true, 0],
  );
  for (const name of ["transfersPerSecond", "cpuMsPerTransfer", "p50Ms", "p99Ms", "driverCpuMsPerTransfer"] as const)
    assert.ok(measured[name] > 0, name);
  assert.ok(measured.p50Ms <= measured.p99Ms && measured.shareOverOneSecond <= 1);
  const parts = measured.cpuMsPerTransferByProcess;
  for (const name of [
    "edge",
    "transfer",
    "ledger",
    "banking",
    "bank",
    "broker",
    "member",
    "postgres:transfer",
    "postgres:ledger",
  ])
    assert.ok(name in parts, name);
  assert.ok(!("driver" in parts));
  const sum = Object.values(parts).reduce((total, ms) => total + ms, 0);
  assert.ok(Math.abs(sum - measured.cpuMsPerTransfer) < 1e-9);
  assert.ok(measured.load.length > 0 && Object.keys(measured.samples[0]?.memoryMiB ?? {}).includes("edge"));
  assert.ok(measured.calibration.cpuMs > 0 && measured.calibration.referenceMs > 0);
  assert.ok(existsSync(join(folder, "report.html")));
  assert.match(output, /books hold/);

  const second = ["--scenario", "idle", ...load, "--json", join(folder, "second.json"), "--against", json];
  const idle = await runBench(...second);
  assert.equal(idle.code, 0, idle.output);
  assert.match(idle.output, /the earlier report has no idle/);
  assert.match(idle.output, /CPU of all processes, percent of one core/);
});

test("a wrong option is named, with exit code 2", async () => {
  const { code, output } = await runBench("--scenario", "nonsense");
  assert.equal(code, 2);
  assert.match(output, /there is no "nonsense"/);
});
