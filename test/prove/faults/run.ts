import { relative, resolve } from "node:path";
import { run } from "node:test";
import { type Group, planOf } from "../../../scripts/test-plan.ts";
import { FAULTS, type Fault } from "../../faults/catalogue.ts";
import { globalSetup, globalTeardown } from "../../support/global-setup.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
/** One file that hangs must not hold up the rest for ever; at full length some take long. */
const FILE_TIMEOUT_MS = process.env.FERRY_FAULTS_FULL === undefined ? 900_000 : 7_200_000;

export interface TestResult {
  file: string;
  name: string;
  passed: boolean;
  ms: number;
  error?: string;
}

export interface FaultsReport {
  faults: { id: string; what: string; green: boolean; tests: TestResult[] }[];
}

/** Runs the test files of a group, and tells of each of their outermost tests. */
async function runGroup(
  { files, atOnce: concurrency }: Group,
  names: readonly RegExp[],
  say: (line: string) => void,
): Promise<TestResult[]> {
  const results: TestResult[] = [];
  const stream = run({
    files: [...files],
    testNamePatterns: [...names],
    concurrency,
    timeout: FILE_TIMEOUT_MS,
  });
  const take =
    (passed: boolean) =>
    (event: { name: string; nesting: number; file?: string; details: { duration_ms: number; error?: Error } }) => {
      if (event.nesting > 0) return;
      const { duration_ms: ms, error } = event.details;
      const cause = error?.cause instanceof Error ? error.cause.message : error?.message;
      const file = relative(REPOSITORY, event.file ?? "").replaceAll("\\", "/");
      results.push({ file, name: event.name, passed, ms, ...(passed ? {} : { error: cause }) });
      say(`${passed ? "ok" : "FAILED"}  ${event.name} (${(ms / 1_000).toFixed(1)} s)${passed ? "" : `: ${cause}`}`);
    };
  stream.on("test:pass", take(true));
  stream.on("test:fail", take(false));
  stream.resume();
  await new Promise<void>((done, fail) => {
    stream.on("end", done);
    stream.on("error", fail);
  });
  return results;
}

/** A fault is green when each of its tests was there and passed. */
function judge({ id, what, tests }: Fault, results: readonly TestResult[]): FaultsReport["faults"][number] {
  const wanted = tests.map(({ file, name }) =>
    results.filter((result) => result.file === file && name.test(result.name)),
  );
  const found = [...new Set(wanted.flat())];
  const green = wanted.every((some) => some.length > 0) && found.every(({ passed }) => passed);
  return { id, what, green, tests: found };
}

export interface FaultsOptions {
  /** Only those that take seconds. */
  short: boolean;
  /** Only these, as "F13"; none: all. */
  only: readonly string[];
  say(line: string): void;
}

/** Runs the tests of the faults. @throws Error when one is asked for that there is not. */
export async function runFaults({ short, only, say }: FaultsOptions): Promise<FaultsReport> {
  const unknown = only.find((id) => !FAULTS.some((fault) => fault.id === id));
  if (unknown !== undefined) throw new Error(`there is no fault ${unknown}`);
  const isWanted = (fault: Fault) => (!short || fault.short === true) && (only.length === 0 || only.includes(fault.id));
  const faults = FAULTS.filter(isWanted);
  const files = new Set(faults.flatMap(({ tests }) => tests.map(({ file }) => resolve(REPOSITORY, file))));
  const names = faults.flatMap(({ tests }) => tests.map(({ name }) => name));
  await globalSetup();
  try {
    const results: TestResult[] = [];
    for (const group of planOf([...files], REPOSITORY)) results.push(...(await runGroup(group, names, say)));
    return { faults: faults.map((fault) => judge(fault, results)) };
  } finally {
    await globalTeardown();
  }
}
