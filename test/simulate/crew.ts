import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Order, Said } from "./worker.ts";
import type { SeedReport } from "./world.ts";

export interface CrewOptions {
  seeds: readonly number[];
  workers: number;
  /** How much more often than usual things go wrong. */
  intensity: number;
  /** Runs each seed a second time, and tells whether it left the same trace. */
  twice: boolean;
  /** Hears of each seed that is done. */
  done(report: SeedReport): void;
}

/** Hands seeds to one worker, one after the other, until none is left. */
function employ(
  child: ChildProcess,
  take: () => number | undefined,
  { intensity, twice }: Pick<CrewOptions, "intensity" | "twice">,
  done: (report: SeedReport) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let finished = false;
    child.on("message", (said: Said) => {
      if ("report" in said) done(said.report);
      const seed = take();
      finished = seed === undefined;
      child.send((seed === undefined ? { end: true } : { seed, intensity, twice }) satisfies Order);
    });
    child.on("exit", (code) => (finished ? resolve() : reject(new Error(`a worker ended with code ${code}`))));
  });
}

/** Runs seeds in processes of their own, each with its own PostgreSQL. Gives the reports in the order of the seeds. */
export async function runSeeds(options: CrewOptions): Promise<SeedReport[]> {
  const { seeds, workers, done } = options;
  const waiting = [...seeds];
  const reports: SeedReport[] = [];
  const children = Array.from({ length: Math.min(workers, seeds.length) }, () =>
    fork(join(import.meta.dirname, "worker.ts")),
  );
  const note = (report: SeedReport) => {
    reports.push(report);
    done(report);
  };
  await Promise.all(children.map((child) => employ(child, () => waiting.shift(), options, note)));
  return reports.sort((one, other) => one.seed - other.seed);
}
