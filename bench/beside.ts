import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { LoadPlan } from "./driver/protocol.ts";
import { errorsOf, Load } from "./load.ts";
import { mean } from "./measure/growth.ts";
import type { BenchOptions } from "./options.ts";
import { type BenchPlatform, startBenchPlatform } from "./platform.ts";
import { change } from "./report/compare.ts";
import { decimals, table, whole } from "./report/text.ts";

/** What one checkout did in one turn. */
export interface Turn {
  transfersPerSecond: number;
  cpuMsPerTransfer: number;
  p99Ms: number;
  /** CPU by process, in milliseconds for one transfer. */
  byProcess: Record<string, number>;
  errors: number;
}

/** Another checkout and this one, turn by turn: a turn of one has its twin of the other right beside it. */
export interface BesideReport {
  format: "ferry-bench-beside-1";
  startedAt: string;
  /** The folder of the other checkout. */
  other: string;
  inFlight: number;
  secondsOfATurn: number;
  before: Turn[];
  now: Turn[];
  /** This checkout's books, at the end. */
  booksFindings: string[];
}

export interface BesideParts {
  /** The folder of the other checkout, set up by `npm ci`. */
  other: string;
  options: BenchOptions;
  log(line: string): void;
  /** Told of a platform that is being started, so that an interrupt ends it too. */
  starting(platform: Promise<BenchPlatform>): void;
}

const DEFAULT_SECONDS = 3;
/** A platform that has just been idle gets so long to come to its speed before a turn is measured. */
const SETTLE_SECONDS = 1;

/** Why a folder cannot be measured beside this checkout; undefined when it can. */
export function whyNotBeside(folder: string): string | undefined {
  if (!existsSync(join(folder, "local", "up.ts"))) return `there is no checkout of Ferry in ${folder}`;
  if (!existsSync(join(folder, "node_modules"))) return `the checkout in ${folder} is not set up: run \`npm ci\` there`;
  return undefined;
}

/**
 * Measures another checkout and this one side by side: both platforms are up, and the load goes to one and then to
 * the other, a few seconds each, in changing order. What a shared machine does in a minute it does to both, so the
 * ratio of twins is sure to a few percent where two runs, one after the other, may differ by a third.
 *
 * The books of the other are not checked: only its own code knows its tables.
 */
export async function measureBeside({ other, options, log, starting }: BesideParts): Promise<BesideReport> {
  const seconds = options.seconds ?? DEFAULT_SECONDS;
  const { inFlight, rounds, warmUpSeconds } = options;
  const startedAt = new Date().toISOString();
  const plan: LoadPlan = { mix: "bank", loop: { kind: "closed", inFlight } };
  const loads: Load[] = [];
  let quiet = false;

  async function open(name: string, repository: string | undefined): Promise<Load> {
    log(`  ${name}: starting`);
    const load = await Load.open({
      options: { ...options, seconds },
      log: (line) => (quiet ? undefined : log(line)),
      startPlatform(environment = {}) {
        const platform = startBenchPlatform({ environment, beside: {}, repository });
        starting(platform);
        return platform;
      },
    });
    loads.push(load);
    await load.measure({ plan, warmUpSeconds: 0, seconds: warmUpSeconds, name: `${name}, to warm up` });
    return load;
  }

  try {
    const theirs = await open("before", resolve(other));
    const ours = await open("now", undefined);
    quiet = true;
    const before: Turn[] = [];
    const now: Turn[] = [];
    for (let round = 1; round <= rounds; round++) {
      const takeTheirs = async () => before.push(await takeTurn(theirs, plan, seconds));
      const takeOurs = async () => now.push(await takeTurn(ours, plan, seconds));
      for (const take of round % 2 === 0 ? [takeOurs, takeTheirs] : [takeTheirs, takeOurs]) await take();
      const rates = [before, now].map((turns) => whole(turns.at(-1)!.transfersPerSecond));
      log(`  round ${round} of ${rounds}: ${rates.join(" and ")} a second`);
    }
    const booksFindings = await ours.close();
    return {
      ...{ format: "ferry-bench-beside-1", startedAt, other: resolve(other), inFlight, secondsOfATurn: seconds },
      ...{ before, now, booksFindings },
    };
  } finally {
    for (const load of loads) load.abandon();
  }
}

async function takeTurn(load: Load, plan: LoadPlan, seconds: number): Promise<Turn> {
  const { figures, metered, aside } = await load.measure({ plan, warmUpSeconds: SETTLE_SECONDS, seconds, name: "" });
  const each = (ms: number) => ms / Math.max(1, figures.done);
  return {
    transfersPerSecond: figures.done / figures.seconds,
    cpuMsPerTransfer: each(metered.totalCpuMs),
    p99Ms: figures.p99Ms,
    byProcess: Object.fromEntries(Object.entries(metered.cpuMs).map(([name, ms]) => [name, each(ms)])),
    errors: [figures, ...aside].reduce((sum, one) => sum + errorsOf(one), 0),
  };
}

/** The mean of the ratios of twins, and its standard error: two of these to each side hold it in 19 of 20 runs. */
export function ratioOf(before: readonly number[], now: readonly number[]): { mean: number; standardError: number } {
  const ratios = now.map((figure, index) => figure / before[index]!);
  const middle = mean(ratios);
  const squares = ratios.map((ratio) => (ratio - middle) ** 2);
  return { mean: middle, standardError: Math.sqrt(mean(squares) / Math.max(1, ratios.length - 1)) };
}

const FIGURES: [name: string, read: (turn: Turn) => number, show: (figure: number) => string][] = [
  ["transfers a second", ({ transfersPerSecond }) => transfersPerSecond, whole],
  ["CPU ms for one", ({ cpuMsPerTransfer }) => cpuMsPerTransfer, (figure) => decimals(figure, 3)],
  ["p99 ms", ({ p99Ms }) => p99Ms, whole],
];
/** Processes that cost less than this for one transfer are not worth a line. */
const LEAST_MS = 0.005;

/** A table of both, with the change of each figure and how sure it is. */
export function summarizeBeside(report: BesideReport): string[] {
  const { before, now, booksFindings, other } = report;
  const rows = [["", "before", "now", "change", "±"]];
  for (const [name, read, show] of FIGURES) {
    const [old, young] = [before.map(read), now.map(read)];
    const ratio = ratioOf(old, young);
    rows.push([
      name,
      show(mean(old)),
      show(mean(young)),
      change(1, ratio.mean),
      `${decimals(ratio.standardError * 100, 1)} %`,
    ]);
  }
  const cpuOf = (turns: readonly Turn[], name: string) => mean(turns.map(({ byProcess }) => byProcess[name] ?? 0));
  const names = new Set([...before, ...now].flatMap(({ byProcess }) => Object.keys(byProcess)));
  const processes = [...names]
    .map((name) => ({ name, old: cpuOf(before, name), young: cpuOf(now, name) }))
    .filter(({ old, young }) => Math.max(old, young) >= LEAST_MS)
    .sort((a, b) => b.young - a.young);
  for (const { name, old, young } of processes)
    rows.push([`  of it ${name}`, decimals(old, 3), decimals(young, 3), change(old, young), ""]);
  const errors = (turns: readonly Turn[]) => turns.reduce((sum, turn) => sum + turn.errors, 0);
  return [
    `${other} (before) beside this checkout (now), ${now.length} rounds of ${report.secondsOfATurn} s each, ${report.inFlight} in flight:`,
    ...table(rows).map((line) => `  ${line}`),
    `  errors ${errors(before)} and ${errors(now)}; books ${booksFindings.length === 0 ? "hold" : "DO NOT HOLD"}`,
    ...booksFindings.slice(0, 5).map((finding) => `  BREACH  ${finding}`),
  ];
}

/** Whether all went well: no request failed, and the books hold. */
export function isWell({ before, now, booksFindings }: BesideReport): boolean {
  return booksFindings.length === 0 && [...before, ...now].every(({ errors }) => errors === 0);
}
