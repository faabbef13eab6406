// F30: three times of what the platform can carry, by the bench's own open loop. It takes minutes and needs a quiet
// machine, so that `npm run prove` runs it and `npm test` does not.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { BenchReport } from "../../bench/scenario.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const SECONDS = process.env.FERRY_FAULTS_FULL === undefined ? "20" : "60";
const LEAST_GOODPUT = 0.8;
const MOST_SECONDS_UNTIL_NORMAL = 30;

test("F30 three times the load, then half of it: goodput stays, refusals are polite, and all is normal within 30 s", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ferry-overload-"));
  try {
    const json = join(folder, "report.json");
    const args = ["bench/main.ts", "--scenario", "overload", "--seconds", SECONDS, "--warm-up", "5", "--json", json];
    await promisify(execFile)(process.execPath, args, { cwd: REPOSITORY, maxBuffer: 2 ** 24 }).catch((error: Error) => {
      if (!existsSync(json)) throw error; // With a report it is the errors and the books in there that it ended for.
    });
    const [measured] = (JSON.parse(readFileSync(json, "utf8")) as BenchReport).scenarios;
    assert.ok(measured !== undefined);
    const { facts } = measured;
    t.diagnostic(JSON.stringify(facts));
    const kinds = Object.entries(measured.errorKinds).map(
      ([what, { count, examples }]) => `${count} ${what}: ${examples[0] ?? ""}`,
    );
    for (const kind of kinds) t.diagnostic(kind);
    assert.ok(measured.booksOk, measured.booksFindings.join("; "));
    // What the driver keeps back, with 8,000 requests open, is its own limit: the platform has never heard of it.
    const wrong = measured.errors - Number(facts["not sent, as many as allowed were open"]);
    assert.equal(wrong, 0, kinds.join("; "));
    assert.ok(
      Number(facts["answered 503"]) + Number(facts["answered 429"]) > 0,
      "nothing was refused: the fault did not bite",
    );
    const [goodput, seconds] = [Number(facts["goodput, share of the maximum"]), Number(facts["seconds until normal"])];
    assert.ok(goodput >= LEAST_GOODPUT, `goodput of ${goodput}`);
    assert.ok(seconds <= MOST_SECONDS_UNTIL_NORMAL, `normal after ${seconds} s`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
