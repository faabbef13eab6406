// The short form of the proof, as a person runs it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import type { MatrixReport } from "./matrix/run.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

test("npm run prove -- --short is green", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ferry-proof-"));
  try {
    const args = [join(REPOSITORY, "test/prove/main.ts"), "--short", "--directory", folder];
    const { code, output } = await new Promise<{ code: number; output: string }>((done) => {
      // A test runner within would take itself for a part of this one.
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      execFile(process.execPath, args, { cwd: REPOSITORY, env, maxBuffer: 2 ** 24 }, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), output: out + err }),
      );
    });
    assert.equal(code, 0, output);
    const { points, windows } = JSON.parse(readFileSync(join(folder, "matrix.json"), "utf8")) as MatrixReport;
    assert.ok(points.length >= 100, `${points.length} points`);
    assert.ok(windows[0]!.kills >= 10 && windows[0]!.operations >= 500);
    t.diagnostic(output.trim().split("\n").at(-1) ?? "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
