import { FAULTS } from "./faults.ts";
import type { SeedReport } from "./world.ts";

/** What every longer run must have come to, or it has shown less than it says. */
const EXPECTED_ENDS = [
  "transfer COMPLETED",
  "transfer FAILED",
  "transfer CANCELED",
  "transfer PARKED",
  "top-up COMPLETED",
  "top-up FAILED",
  "payment COMPLETED",
  "payment FAILED",
  "refund COMPLETED",
  "refund FAILED",
  "batch COMPLETED",
  "batch FAILED",
];
const EXPECTED_COUNTS = ["operator: resume", "operator: undo", "cancel taken", "same key at once"];
/** Rare: a payment that the bank has done, and says nothing of until its saga is parked. */
const RARE_COUNTS = ["operator: skip"];
/** From so many seeds on each fault and each end must have come up, and each fault once in so many seeds. */
const ENOUGH_SEEDS = 100;
const SEEDS_PER_FAULT = 20;
const MANY_SEEDS = 1_000;

/** A run of seeds, as it is written to a file. */
export interface Summary {
  from: number;
  seeds: number;
  ok: boolean;
  /** Seeds that did not hold, with what they found. */
  failures: { seed: number; findings: string[] }[];
  /** What did not come up as often as it must: a run that tested too little. */
  vacuous: string[];
  faults: Record<string, number>;
  ends: Record<string, number>;
  counts: Record<string, number>;
  failed: number;
  /** How often something went wrong, and how much came to an end, in all. */
  faultsInAll: number;
  endsInAll: number;
  steps: number;
  /** Simulated time. */
  worldSeconds: number;
  seconds: number;
  secondsPerSeed: number;
  /** With --twice: seeds that were run twice, and those of them that left the same trace. */
  replayed?: { twice: number; same: number };
}

export function addUp(records: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of records)
    for (const [name, count] of Object.entries(record)) sums[name] = (sums[name] ?? 0) + count;
  return Object.fromEntries(Object.entries(sums).sort(([one], [other]) => (one < other ? -1 : 1)));
}

const total = (record: Record<string, number>) => Object.values(record).reduce((sum, count) => sum + count, 0);

function findVacuous(seeds: number, { faults, ends, counts }: Pick<Summary, "faults" | "ends" | "counts">): string[] {
  if (seeds < ENOUGH_SEEDS) {
    return total(faults) >= seeds && (ends["transfer COMPLETED"] ?? 0) >= seeds
      ? []
      : ["hardly anything went wrong, or right"];
  }
  const least = Math.floor(seeds / SEEDS_PER_FAULT);
  return [
    ...FAULTS.filter((fault) => (faults[fault] ?? 0) < least).map((fault) => `${fault}: ${faults[fault] ?? 0} times`),
    ...EXPECTED_ENDS.filter((end) => ends[end] === undefined).map((end) => `no ${end}`),
    ...[...EXPECTED_COUNTS, ...(seeds < MANY_SEEDS ? [] : RARE_COUNTS)]
      .filter((count) => counts[count] === undefined)
      .map((count) => `no ${count}`),
  ];
}

export function summarize(reports: readonly SeedReport[], seconds: number): Summary {
  const [faults, ends, counts] = [
    addUp(reports.map((each) => each.faults)),
    addUp(reports.map((each) => each.ends)),
    addUp(reports.map((each) => each.counts)),
  ];
  const failures = reports
    .filter(({ findings }) => findings.length > 0)
    .map(({ seed, findings }) => ({ seed, findings }));
  const vacuous = findVacuous(reports.length, { faults, ends, counts });
  const twice = reports.filter(({ replay }) => replay !== undefined);
  const same = twice.filter(({ replay, trace }) => replay === trace).length;
  return {
    from: Math.min(...reports.map(({ seed }) => seed)),
    seeds: reports.length,
    ok: failures.length === 0 && vacuous.length === 0,
    ...{ failures, vacuous, faults, ends, counts },
    ...{ failed: failures.length, faultsInAll: total(faults), endsInAll: total(ends) },
    steps: reports.reduce((sum, { steps }) => sum + steps, 0),
    worldSeconds: Math.round(reports.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 1_000),
    seconds: Math.round(seconds),
    secondsPerSeed: Number((seconds / reports.length).toPrecision(3)),
    ...(twice.length === 0 ? {} : { replayed: { twice: twice.length, same } }),
  };
}
