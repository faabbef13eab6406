// The crash-point matrix as a process of its own: `node test/prove/matrix.ts --json FILE`.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type MatrixReport, runMatrix } from "./matrix/run.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seed: { type: "string", default: "1" },
    rounds: { type: "string", default: "20" },
    minutes: { type: "string", default: "30" },
    hot: { type: "string", default: "8" },
    cold: { type: "string", default: "1000" },
    callers: { type: "string", default: "64" },
    rate: { type: "string", default: "60" },
    lanes: { type: "string", default: "3" },
    record: { type: "string", default: "15" },
    least: { type: "string", default: "0" },
    /** Processes whose points are killed, with commas; default: all. */
    only: { type: "string", default: "" },
  },
});

/** Points that may not be reached again, as a share of all. */
const MOST_UNREACHED = 0.05;

const stopping = new AbortController();
/** The platform's launcher is in this group, and stops by the same signal: nobody answers any more. */
const LEAVE_MS = 12_000;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    stopping.abort();
    setTimeout(() => process.exit(1), LEAVE_MS).unref();
  });

const least = Number(values.least);

function save(report: MatrixReport): void {
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, undefined, 1));
}

const report = await runMatrix({
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  minutes: Number(values.minutes),
  hot: Number(values.hot),
  cold: Number(values.cold),
  callers: Number(values.callers),
  ratePerSecond: Number(values.rate),
  lanes: Number(values.lanes),
  recordSeconds: Number(values.record),
  least,
  only: values.only.split(",").filter(Boolean),
  signal: stopping.signal,
  say: (line) => console.log(line),
  progress: save,
});
save(report);
const breaches = report.windows.flatMap(({ findings }) => findings);
const rare = report.points.filter(({ kills }) => kills < least);
for (const { process: name, point, kills, missed } of rare)
  console.log(`only ${kills} kills${missed > 0 ? `, not reached ${missed} times` : ""}: ${name}, ${point}`);
for (const { process: name, point, waitedMs } of report.points.toSorted((a, b) => b.waitedMs - a.waitedMs).slice(0, 8))
  console.log(`waited for ${Math.round(waitedMs / 1_000)} s in all: ${name}, ${point}`);
// What a process passes once in its data's life, as the first row of a kind, cannot be reached again.
const unreached = rare.filter(({ missed }) => missed > 0);
const enough = unreached.length === rare.length && unreached.length <= report.points.length * MOST_UNREACHED;
const proven = breaches.length === 0 && enough && report.windows.length > 0;
process.exit(proven && !stopping.signal.aborted ? 0 : 1);
