// The page of examples runs as it stands: the blocks of each language, one after the other, against a platform.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { Platform } from "../support/platform.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const PAGE = readFileSync(join(REPOSITORY, "docs/examples.md"), "utf8");
const IN_PAGE = "http://127.0.0.1:8080";
const TIMEOUT_MS = 120_000;

let platform: Platform;
let folder = "";

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "ferry-examples-"));
  symlinkSync(join(REPOSITORY, "node_modules"), join(folder, "node_modules"));
  platform = await Platform.start();
});
after(async () => {
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The blocks of a language, as one program that asks the test's platform. */
function programOf(language: string, first = ""): string {
  const blocks = [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, name]) => name === language);
  assert.equal(blocks.length, [...PAGE.matchAll(/^## /gm)].length, `${language} has a block in each section`);
  const program = blocks.map(([, , block]) => block).join("\n");
  assert.ok(program.includes(IN_PAGE));
  return `${first}${program.replaceAll(IN_PAGE, platform.edge)}`;
}

/** Runs a program; it must end well. @returns The lines that it printed. */
async function run(command: string, ...args: string[]): Promise<string[]> {
  const child = spawn(command, args, { cwd: folder, timeout: TIMEOUT_MS, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | null>((done) => child.once("close", done));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await ended, 0, `${out}\n${err}`);
  return out.trim().split("\n");
}

const has = (program: string) => spawnSync(program, ["--version"]).status === 0;

test("curl", { skip: !has("bash") || !has("curl") ? "no bash or no curl here" : false }, async () => {
  writeFileSync(join(folder, "examples.sh"), programOf("sh", "set -euo pipefail\n"));
  const lines = await run("bash", "examples.sh");
  assert.match(lines.shift() ?? "", /"displayName":"Ann"/);
  assert.deepEqual(
    lines.filter((line) => line.trim() !== "").map((line) => line.trim().toLowerCase()),
    [
      ...["top_up_state_completed", "transfer_state_completed", "idempotency-replayed: true", "rent", "ann"],
      ...["invalid_request", "insufficient_balance", "transfer_state_completed"],
    ],
  );
});

/** What the TypeScript and the Python of the page print alike. */
function checkLines(lines: readonly string[]): void {
  const printed = lines.join("\n");
  assert.match(
    printed,
    /^TOP_UP_STATE_COMPLETED\nTRANSFER_STATE_COMPLETED\nidempotency-replayed: true\n\S+ rent TRANSFER_STATE_COMPLETED\nAnn \[\]\nINVALID_REQUEST 400 /,
  );
  assert.match(printed, /\nTRANSFER_STATE_FAILED INSUFFICIENT_BALANCE\n/);
  assert.match(printed, /\n\d+ TRANSFER_STATE_COMPLETED$/);
}

test("TypeScript, which compiles too", async () => {
  writeFileSync(join(folder, "examples.ts"), programOf("ts"));
  const config = { extends: join(REPOSITORY, "tsconfig.json"), include: ["examples.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  assert.deepEqual(await run(join(REPOSITORY, "node_modules/.bin/tsc"), "-p", "."), [""]);
  checkLines(await run(process.execPath, "examples.ts"));
});

test("Python", { skip: has("python3") ? false : "no python3 here" }, async () => {
  writeFileSync(join(folder, "examples.py"), programOf("python"));
  checkLines(await run("python3", "examples.py"));
});
