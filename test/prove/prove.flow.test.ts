// The short form of the proof, as a person runs it; its faults are tests of their own, which run beside this one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import type { FaultsReport } from "./faults/run.ts";
import type { Proof } from "./main.ts";
import type { MatrixReport } from "./matrix/run.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
/** For simulation and matrix together: a minute of kills is left. */
const MINUTES = "2.5";
/** The same schedules each time: those that nobody has seen are for `npm run prove`, not for whoever changes something else. */
const SEED = "1";

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ferry-proof-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a file of the proof. @returns its exit code, and what it printed. */
function runNode(file: string, ...args: string[]): Promise<{ code: number; output: string }> {
  // A test runner within would take itself for a part of this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const command = [join(REPOSITORY, "test/prove", file), ...args];
  return new Promise((done) => {
    execFile(process.execPath, command, { cwd: REPOSITORY, env, maxBuffer: 2 ** 24 }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code), output: out + err }),
    );
  });
}

function readJson<T>(folder: string, name: string): T {
  return JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
}

test("npm run prove -- --short is green for simulation and matrix", async (t) => {
  const folder = makeFolder(t);
  const parts = ["--only", "simulation", "--only", "matrix"];
  const chosen = ["--seed", SEED, "--minutes", MINUTES, "--directory", folder];
  const { code, output } = await runNode("main.ts", "--short", ...parts, ...chosen);
  assert.equal(code, 0, output);
  const proof = readJson<Proof>(folder, "proof.json");
  assert.deepEqual([proof.parts.simulation?.green, proof.parts.matrix?.green], [true, true]);
  const { points, windows } = readJson<MatrixReport>(folder, "matrix.json");
  assert.ok(points.length >= 100, `${points.length} points`);
  const [{ kills, operations }] = windows as [MatrixReport["windows"][number]];
  assert.ok(kills >= 5 && operations >= 500, `${kills} kills, ${operations} operations`);
  t.diagnostic(`${kills} of ${points.length} points; ${output.trim().split("\n").at(-1)}`);
});

test("the part of the faults runs the tests that the catalogue names, and no others", async (t) => {
  const folder = makeFolder(t);
  const json = join(folder, "faults.json");
  const { code, output } = await runNode("faults.ts", "--only", "F17", "--only", "F10", "--json", json);
  assert.equal(code, 0, output);
  const { faults } = readJson<FaultsReport>(folder, "faults.json");
  assert.deepEqual(
    faults.map(({ id, green }) => [id, green]),
    [
      ["F10", true],
      ["F17", true],
    ],
  );
  for (const { id, tests } of faults)
    assert.ok(tests.length > 0 && tests.every(({ name, passed }) => passed && name.startsWith(`${id} `)), output);
  const none = await runNode("faults.ts", "--only", "F0");
  assert.notEqual(none.code, 0);
  assert.match(none.output, /there is no fault F0/);
});
