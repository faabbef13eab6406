// `npm run bench`: measures the platform and writes a report.
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { join, resolve } from "node:path";
import { isWell, measureBeside, summarizeBeside } from "./beside.ts";
import { startApacheKafka } from "./kafka.ts";
import type { Roots } from "./measure/cpu.ts";
import { type BenchOptions, HELP, readArguments } from "./options.ts";
import { measurePeers } from "./peer-ratios.ts";
import type { BenchPlatform } from "./platform.ts";
import { profileEnvironment, readProfiles } from "./profiles.ts";
import { compareReports } from "./report/compare.ts";
import { readReport, writeJson, writeReport } from "./report/files.ts";
import { summarize, summarizePeers } from "./report/summary.ts";
import { runScenario } from "./run-scenario.ts";
import type { BenchReport } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

const REPOSITORY = resolve(import.meta.dirname, "..");
const INTERRUPTED = 130;
/** How long the peers are measured each. */
const PEER_SECONDS = 20;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** What the checkout is, with a mark when it was changed since. */
function readCommit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: REPOSITORY, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return git("rev-parse", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "-changed");
  } catch {
    return "unknown"; // No git, or no checkout: an archive of the source.
  }
}

/** Where a run leaves its files, without their endings. */
function baseOf(options: BenchOptions, startedAt: string): string {
  if (options.jsonFile !== undefined) return resolve(options.jsonFile).replace(/\.json$/, "");
  const [first = "", ...more] = options.scenarios;
  const name = more.length === 0 ? first : `${first}-and-${more.length}-more`;
  return join(REPOSITORY, ".ferry", "bench", `${startedAt.replaceAll(":", "").slice(0, 17)}-${name}`);
}

/** Ends what is running when the bench is interrupted. */
function createEndings() {
  const open = new Set<() => Promise<unknown>>();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      say("Stopping …");
      Promise.allSettled([...open].map((end) => end())).then(() => process.exit(INTERRUPTED));
    });
  return {
    /** @returns the same ending, which forgets itself. */
    add(end: () => Promise<unknown>): () => Promise<void> {
      open.add(end);
      return async () => {
        if (open.delete(end)) await end();
      };
    },
  };
}

/** Measures another checkout and this one in turns. @returns whether all went well. */
async function benchBeside(other: string, options: BenchOptions): Promise<boolean> {
  const endings = createEndings();
  const ends: (() => Promise<void>)[] = [];
  const base = baseOf({ ...options, scenarios: ["beside"] }, new Date().toISOString());
  try {
    const starting = (platform: Promise<BenchPlatform>) =>
      void ends.push(endings.add(async () => (await platform).platform.stop()));
    const report = await measureBeside({ other, options, log: say, starting });
    writeJson(`${base}.json`, report);
    for (const line of ["", ...summarizeBeside(report), `Report: ${base}.json`]) say(line);
    return isWell(report);
  } finally {
    await Promise.allSettled(ends.map((end) => end()));
  }
}

async function bench(options: BenchOptions): Promise<boolean> {
  if (options.besideDirectory !== undefined) return benchBeside(options.besideDirectory, options);
  const earlier = options.againstFile === undefined ? undefined : readReport(options.againstFile);
  const startedAt = new Date().toISOString();
  const base = baseOf(options, startedAt);
  const endings = createEndings();
  const environment: Record<string, string> = {};
  const beside: Record<string, number> = {};
  let endKafka = async () => {};
  if (options.kafka) {
    const kafka = await startApacheKafka();
    endKafka = endings.add(kafka.stop);
    environment.KAFKA_BROKERS = kafka.brokers;
    beside.kafka = kafka.pid;
    say(`Apache Kafka ${kafka.version} on ${kafka.brokers}`);
  }
  const [cpu] = cpus();
  const report: BenchReport = {
    format: "ferry-bench-1",
    startedAt,
    node: process.version,
    commit: readCommit(),
    machine: {
      cpus: cpus().length,
      model: cpu?.model ?? "unknown",
      memoryMiB: Math.round(totalmem() / 1_048_576),
      kernel: `${type()} ${release()}`,
    },
    scenarios: [],
  };
  for (const name of options.scenarios) await runOne(name, { options, report, base, environment, beside, endings });
  await endKafka();
  if (options.peers) {
    const early = new AbortController();
    endings.add(async () => early.abort());
    const seconds = options.seconds ?? PEER_SECONDS;
    report.peers = await measurePeers(report, { seconds, log: say, signal: early.signal });
  }
  const page = writeReport(`${base}.json`, report);
  say("");
  for (const scenario of report.scenarios) for (const line of summarize(scenario)) say(line);
  if (report.peers !== undefined) for (const line of summarizePeers(report.peers)) say(line);
  if (earlier !== undefined) for (const line of compareReports(earlier, report)) say(line);
  say(`Report: ${base}.json and ${page}`);
  return report.scenarios.every(({ booksOk, errors }) => booksOk && errors === 0);
}

interface OneRun {
  options: BenchOptions;
  report: BenchReport;
  base: string;
  environment: Record<string, string>;
  beside: Roots;
  endings: ReturnType<typeof createEndings>;
}

async function runOne(name: string, { options, report, base, environment, beside, endings }: OneRun): Promise<void> {
  const scenario = await SCENARIOS[name]!();
  const directory = `${base}-profiles-${name}`;
  const profiling = options.profile ? profileEnvironment(directory) : {};
  const ends: (() => Promise<void>)[] = [];
  const parts = {
    options,
    node: report.node,
    commit: report.commit,
    log: say,
    environment: { ...environment, ...profiling },
    beside,
    starting: (starting: Promise<BenchPlatform>) =>
      void ends.push(endings.add(async () => (await starting).platform.stop())),
  };
  try {
    const finished = await runScenario(scenario, parts, ({ roots }, { window }) => {
      if (options.profile && window !== undefined) for (const line of readProfiles(directory, roots, window)) say(line);
    });
    report.scenarios.push(finished);
  } finally {
    await Promise.allSettled(ends.map((end) => end()));
  }
}

const parsed = readArguments(process.argv.slice(2));
switch (parsed.kind) {
  case "help":
    say(HELP);
    break;
  case "list":
    for (const [name, load] of Object.entries(SCENARIOS)) say(`${name.padEnd(20)} ${(await load()).summary}`);
    break;
  case "wrong":
    refuse(`${parsed.message}\n\n${HELP}`);
    break;
  case "run":
    try {
      process.exitCode = (await bench(parsed.options)) ? 0 : 1;
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    }
    break;
  default:
    parsed satisfies never;
}
