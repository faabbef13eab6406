import { emptyMeasured, type Measured, type Scenario, type Unit } from "../scenario.ts";
import { type ContestOptions, type ContestResult, timesFloor } from "./contest.ts";

export interface PartScenarioOptions {
  name: string;
  summary: string;
  unit: Unit;
  contest(options: ContestOptions): Promise<ContestResult & { without?: string }>;
}

const MEASURED_SECONDS = 12;

/** The report of a contest: our figures, and the floors' among the facts. */
export function measuredOf({ tallies, machine, without }: ContestResult & { without?: string }): Measured {
  const [ours, ...floors] = tallies;
  if (ours === undefined) throw new Error("a contest without contenders");
  const facts: Measured["facts"] = {};
  for (const floor of floors) {
    facts[`floor ${floor.name}, us of CPU`] = floor.cpuUs;
    facts[`times ${floor.name}`] = timesFloor(ours, floor);
    for (const name of floor.counted) facts[`floor ${floor.name}, us of ${name}`] = floor.cpuUsByProcess[name] ?? 0;
  }
  if (without !== undefined) facts.without = without;
  const failed = tallies.filter(({ errors }) => errors > 0);
  const inMs = Object.entries(ours.cpuUsByProcess).map(([name, us]) => [name, us / 1_000] as const);
  return {
    ...emptyMeasured(),
    count: ours.count,
    measuredSeconds: ours.seconds,
    transfersPerSecond: ours.perSecond,
    cpuMsPerTransfer: ours.cpuUs / 1_000,
    p50Ms: ours.p50Ms,
    p99Ms: ours.p99Ms,
    errors: failed.reduce((sum, { errors }) => sum + errors, 0),
    errorKinds: Object.fromEntries(
      failed.map(({ name, errors: count, example }) => [name, { count, examples: [example] }]),
    ),
    cpuMsPerTransferByProcess: Object.fromEntries(inMs),
    machine,
    facts,
  };
}

/** A scenario of one part of the platform alone, in turns with its floors in the same run. */
export function partScenario({ name, summary, unit, contest }: PartScenarioOptions): Scenario {
  return {
    name,
    summary,
    unit,
    seconds: MEASURED_SECONDS,
    run: async ({ options, log }) => measuredOf(await contest({ seconds: options.seconds, log })),
  };
}
