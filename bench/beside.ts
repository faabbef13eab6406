import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { LoadPlan } from "./driver/protocol.ts";
import { Load } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { type BenchPlatform, startBenchPlatform } from "./platform.ts";
import { compareTurns, TURN_SECONDS, type Turn, takeTurns } from "./turns.ts";

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

/** Why a folder cannot be measured beside this checkout; undefined when it can. */
export function whyNotBeside(folder: string): string | undefined {
  if (!existsSync(join(folder, "local", "up.ts"))) return `there is no checkout of Ferry in ${folder}`;
  if (!existsSync(join(folder, "node_modules"))) return `the checkout in ${folder} is not set up: run \`npm ci\` there`;
  return undefined;
}

/**
 * Measures another checkout and this one side by side, in turns.
 *
 * The books of the other are not checked: only its own code knows its tables.
 */
export async function measureBeside({ other, options, log, starting }: BesideParts): Promise<BesideReport> {
  const seconds = options.seconds ?? TURN_SECONDS;
  const { inFlight, rounds, warmUpSeconds } = options;
  const startedAt = new Date().toISOString();
  const plan: LoadPlan = { mix: "bank", loop: { kind: "closed", inFlight } };
  const loads: Load[] = [];

  async function open(name: string, repository: string | undefined): Promise<Load> {
    log(`  ${name}: starting`);
    const load = await Load.open({
      options: { ...options, seconds },
      log,
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
    const [before, now] = await takeTurns([theirs, ours], { plan, rounds, seconds, log });
    const booksFindings = await ours.close();
    return {
      ...{ format: "ferry-bench-beside-1", startedAt, other: resolve(other), inFlight, secondsOfATurn: seconds },
      ...{ before, now, booksFindings },
    };
  } finally {
    for (const load of loads) load.abandon();
  }
}

/** What was found, for people to read. */
export function summarizeBeside(report: BesideReport): string[] {
  const { before, now, booksFindings, other } = report;
  const errors = (turns: readonly Turn[]) => turns.reduce((sum, turn) => sum + turn.errors, 0);
  return [
    `${other} (before) beside this checkout (now), ${now.length} rounds of ${report.secondsOfATurn} s each, ${report.inFlight} in flight:`,
    ...compareTurns(before, now),
    `  errors ${errors(before)} and ${errors(now)}; books ${booksFindings.length === 0 ? "hold" : "DO NOT HOLD"}`,
    ...booksFindings.slice(0, 5).map((finding) => `  BREACH  ${finding}`),
  ];
}

/** Whether all went well: no request failed, and the books hold. */
export function isWell({ before, now, booksFindings }: BesideReport): boolean {
  return booksFindings.length === 0 && [...before, ...now].every(({ errors }) => errors === 0);
}
