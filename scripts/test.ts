import { spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { delimiter, join, relative, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { globalSetup, globalTeardown } from "../test/support/global-setup.ts";
import { type Group, KINDS, type Kind, kindOf, planOf } from "./test-plan.ts";

const HELP = `npm test                            static checks, then every test
npm test -- --only unit             static checks, then the tests without I/O (x.test.ts)
npm test -- --only int              static checks, then those with it (x.int.test.ts)
npm test -- --only flow             static checks, then those that bring a whole platform up (x.flow.test.ts)
npm run test:one -- <files>         the named test files alone, without the static checks

A PostgreSQL is started for the run, and thrown away; FERRY_TEST_DATABASE_URL names another to use.
`;
const ROOT = resolve(import.meta.dirname, "..");
const ROOMS = ["platform", "edge", "client", "services", "local", "test", "bench", "scripts"];
/** Files that are told of at the end, with how long they took. */
const LONGEST_TOLD = 12;

interface Check {
  name: string;
  command: readonly string[];
}

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  /** How long each file took, in milliseconds. */
  took: Map<string, number>;
}

/** Runs a command. @returns its exit code, and all that it printed. */
function execute(command: readonly string[]): Promise<{ code: number; output: string }> {
  const [program, ...args] = command;
  const path = [join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  const child = spawn(program!, args, {
    cwd: ROOT,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  return new Promise((done) => {
    child.on("error", (error) => done({ code: 1, output: `${program}: ${error.message}\n` }));
    child.on("close", (code) => done({ code: code ?? 1, output }));
  });
}

/** What the contracts are compared with: main here, or main of the clone's origin; undefined when neither has any. */
async function findContractsOfMain(): Promise<string | undefined> {
  const candidates = [
    { ref: "main", against: ".git#branch=main,subdir=proto" },
    { ref: "origin/main", against: ".git#ref=origin/main,subdir=proto" },
  ];
  for (const { ref, against } of candidates) {
    if ((await execute(["git", "cat-file", "-e", `${ref}:proto`])).code === 0) return against;
  }
  return undefined;
}

/** Runs the static checks: those of code and those of contracts side by side. @returns the names of those that failed. */
async function runChecks(): Promise<string[]> {
  const ofCode: Check[] = [
    { name: "types (tsc)", command: ["tsc", "--noEmit"] },
    { name: "style (biome)", command: ["biome", "check", "."] },
  ];
  const ofContracts: Check[] = [
    { name: "generated code (generate --check)", command: ["node", "scripts/generate.ts", "--check"] },
    { name: "contracts (buf lint)", command: ["buf", "lint"] },
    { name: "contracts (buf format)", command: ["buf", "format", "proto", "--diff", "--exit-code"] },
  ];
  const main = await findContractsOfMain();
  if (main === undefined) process.stdout.write("skipped: buf breaking (no branch main with a proto folder)\n");
  else ofContracts.push({ name: "contracts (buf breaking)", command: ["buf", "breaking", "proto", "--against", main] });
  const failed = await Promise.all([ofCode, ofContracts].map(runInTurn));
  return failed.flat();
}

async function runInTurn(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, command } of checks) {
    const started = performance.now();
    const { code, output } = await execute(command);
    const took = `${Math.round(performance.now() - started)} ms`;
    process.stdout.write(`${output}${code === 0 ? "ok" : "FAILED"}: ${name}, ${took}\n`);
    if (code !== 0) failed.push(name);
  }
  return failed;
}

function findTests(only: string | undefined): string[] {
  const patterns = ROOMS.map((room) => `${room}/**/*.test.ts`);
  const found = globSync(patterns, { cwd: ROOT, exclude: (path) => path.split(/[\\/]/).includes("node_modules") });
  const wanted = found.filter((path) => only === undefined || only === kindOf(path));
  return wanted.sort().map((path) => join(ROOT, path));
}

/** Runs the files, group by group, and tells what took longest. */
async function runAll(files: readonly string[]): Promise<Omit<Outcome, "took">> {
  const outcomes: Outcome[] = [];
  const times: string[] = [];
  await globalSetup(); // One PostgreSQL for all: the processes of the tests inherit its address.
  try {
    for (const group of planOf(files, ROOT)) {
      const started = performance.now();
      outcomes.push(await runGroup(group));
      const seconds = Math.round((performance.now() - started) / 1_000);
      times.push(`${seconds} s  ${group.name}: ${group.files.length} files, ${group.atOnce} at once`);
    }
  } finally {
    await globalTeardown();
  }
  const longest = outcomes
    .flatMap(({ took }) => [...took])
    .sort(([, one], [, other]) => other - one)
    .slice(0, LONGEST_TOLD)
    .map(([file, ms]) => `  ${(ms / 1_000).toFixed(1)} s  ${relative(ROOT, file)}`);
  if (files.length > 1) process.stdout.write(`\n${[...times, "longest:", ...longest].join("\n")}\n`);
  const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: sum(({ skipped }) => skipped),
  };
}

/** Runs the files of a group, each in a process of its own, and prints them in their order. */
function runGroup({ files, atOnce: concurrency, timeoutMs: timeout }: Group): Promise<Outcome> {
  return new Promise((done, fail) => {
    const outcome: Outcome = { passed: 0, failed: 0, skipped: 0, took: new Map() };
    const stream = run({ files: [...files], concurrency, timeout, cwd: ROOT });
    stream.on("test:summary", ({ file, counts, duration_ms }) => {
      // One per file comes before the one for all.
      if (file !== undefined) return void outcome.took.set(file, duration_ms);
      outcome.passed = counts.passed;
      outcome.failed = counts.tests - counts.passed - counts.skipped - counts.todo;
      outcome.skipped = counts.skipped + counts.todo;
    });
    stream.on("error", fail);
    const printed = stream.compose(spec);
    printed.on("data", (text) => process.stdout.write(text));
    printed.on("error", fail);
    printed.on("end", () => done(outcome));
  });
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const files = positionals.map((path) => resolve(path));
  const missing = files.find((path) => !existsSync(path));
  const named = process.argv.includes("--"); // `npm run test:one` puts it there.
  let wrong: string | undefined;
  if (missing !== undefined) wrong = `there is no file ${missing}`;
  else if (values.only !== undefined && !KINDS.includes(values.only as Kind)) wrong = "--only takes unit, int or flow";
  else if (named && files.length === 0) wrong = "name at least one test file";
  if (wrong !== undefined) {
    process.stderr.write(`${wrong}\n\n${HELP}`);
    process.exit(2);
  }
  return { only: values.only, files };
}

const { only, files } = readArguments();
const failedChecks = files.length > 0 ? [] : await runChecks();
const outcome = await runAll(files.length > 0 ? files : findTests(only));
if (failedChecks.length > 0) process.stdout.write(`\nfailed checks: ${failedChecks.join("; ")}\n`);
process.stdout.write(`\n${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped\n`);
const nothingRan = outcome.passed + outcome.failed + outcome.skipped === 0;
process.exitCode = failedChecks.length > 0 || outcome.failed > 0 || nothingRan ? 1 : 0;
