// `npm run simulate`: whole platforms in one process each, under a seeded scheduler that lets everything go wrong.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { startCluster } from "./cluster.ts";
import { runSeeds } from "./crew.ts";
import { summarize } from "./summary.ts";
import { runSeed, type SeedReport } from "./world.ts";

const HELP = `npm run simulate [-- options]   random schedules of the whole platform, each from a seed

  --seeds N        how many seeds (default 1000)
  --from N         the first one (default 1)
  --short          a few seeds, within 30 seconds
  --seed N         one seed alone; with --verbose all that happens in it
  --verbose        prints the trace of a single seed, and what each seed found
  --intensity N    how much more often than usual things go wrong (default 1)
  --twice          runs each seed twice, and counts those that left the same trace
  --workers N      processes, each with its own PostgreSQL (default: one more than processors)
  --json FILE      writes the summary there
  --help           this text

Exit code 1 when something does not hold, or when too little went wrong to show anything.`;

const SHORT_SEEDS = 12;
const PROGRESS_EVERY = 25;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    short: { type: "boolean", default: false },
    seed: { type: "string" },
    verbose: { type: "boolean", default: false },
    intensity: { type: "string", default: "1" },
    twice: { type: "boolean", default: false },
    workers: { type: "string", default: String(availableParallelism() + 1) },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`--${name} takes a whole number above 0, not ${text}`);
  return number;
}

const intensity = numberOf("intensity", values.intensity);

function print(report: SeedReport): void {
  const { seed, findings, trace, replay = trace } = report;
  if (replay !== trace) console.log(`seed ${seed}: left the trace ${trace}, and then ${replay}`);
  for (const finding of findings) console.log(`seed ${seed}: BREACH  ${finding}`);
  const more = intensity === 1 ? "" : ` --intensity ${intensity}`;
  if (findings.length > 0) console.log(`seed ${seed}: npm run simulate -- --seed ${seed}${more} --verbose`);
}

/** One seed in this process, so that its trace can be printed as it comes. */
async function runOne(seed: number): Promise<SeedReport[]> {
  const cluster = await startCluster();
  const heard = ({ atMs, life, what }: { atMs: number; life: string; what: string }) =>
    console.log(`${(atMs / 1_000).toFixed(6).padStart(12)}  ${life.padEnd(12)}  ${what}`);
  try {
    const report = await runSeed(cluster, { seed, intensity, ...(values.verbose ? { heard } : {}) });
    console.log(
      `seed ${seed}: trace ${report.trace}, ${report.steps} steps, ${report.elapsedMs / 1_000} s of its time`,
    );
    print(report);
    return [report];
  } finally {
    await cluster.stop();
  }
}

function runMany(): Promise<SeedReport[]> {
  const from = numberOf("from", values.from);
  const count = values.short ? SHORT_SEEDS : numberOf("seeds", values.seeds ?? "1000");
  let [ran, failed] = [0, 0];
  const startedAtMs = performance.now();
  return runSeeds({
    seeds: Array.from({ length: count }, (_, index) => from + index),
    workers: numberOf("workers", values.workers),
    intensity,
    twice: values.twice,
    done(report) {
      ran++;
      if (report.findings.length > 0) failed++;
      print(report);
      if (values.verbose) console.log(`seed ${report.seed}: trace ${report.trace}, ${report.steps} steps`);
      if (ran % PROGRESS_EVERY === 0 || ran === count)
        console.log(
          `${ran} of ${count} seeds, ${failed} failed, ${Math.round((performance.now() - startedAtMs) / 1_000)} s`,
        );
    },
  });
}

if (values.help) console.log(HELP);
else {
  const startedAtMs = performance.now();
  const reports = values.seed === undefined ? await runMany() : await runOne(numberOf("seed", values.seed));
  const summary = summarize(reports, (performance.now() - startedAtMs) / 1_000);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(summary, undefined, 2)}\n`);
  const { faults, ends, vacuous, failures, replayed } = summary;
  if (values.seed === undefined || values.verbose)
    for (const [name, count] of [...Object.entries(faults), ...Object.entries(ends)])
      console.log(`${String(count).padStart(8)}  ${name}`);
  if (replayed !== undefined) console.log(`${replayed.same} of ${replayed.twice} seeds left the same trace twice`);
  for (const what of vacuous) console.log(`VACUOUS  ${what}`);
  console.log(`${summary.seeds} seeds, ${failures.length} failed, ${summary.seconds} s`);
  process.exitCode = failures.length === 0 && (vacuous.length === 0 || values.seed !== undefined) ? 0 : 1;
}
