import { cpuBetween, machineBetween, type Roots, readCpuMs, readMachineTicks, sumOf } from "../measure/cpu.ts";
import type { MachineShare } from "../scenario.ts";
import type { LoopFigures } from "./closed-loop.ts";

/** Somebody who does the same work in another way. The first of a contest is ours, the others are floors. */
export interface Contender {
  name: string;
  /** The processes whose CPU counts, by name. */
  roots: Roots;
  /** Of `roots`, those whose CPU is the figure; the rest is told beside it. Default all. */
  counted?: readonly string[];
  /** Makes what the next run needs; its CPU does not count. */
  prepare?(seconds: number): Promise<void>;
  /** Works for about so long. */
  run(seconds: number): Promise<LoopFigures>;
}

/** What one contender's work cost, over all rounds. Microseconds are of CPU, for one call, message or transfer. */
export interface Tally {
  name: string;
  count: number;
  seconds: number;
  perSecond: number;
  errors: number;
  example: string;
  p50Ms: number;
  p99Ms: number;
  /** Names of the processes whose CPU is the figure. */
  counted: string[];
  /** Of these together. */
  cpuUs: number;
  cpuUsByProcess: Record<string, number>;
  /** `cpuUs` of each round. */
  rounds: number[];
}

export interface ContestResult {
  tallies: Tally[];
  machine: MachineShare;
}

interface Played extends LoopFigures {
  cpuMs: Record<string, number>;
}

const isCounted = ({ counted }: Contender, process: string): boolean => counted?.includes(process) ?? true;

/** PostgreSQL's figures by database as one: the databases of a contest are its own. */
function byRoot(figures: Record<string, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, ms] of Object.entries(figures)) {
    const root = name.split(":")[0]!;
    sums[root] = (sums[root] ?? 0) + ms;
  }
  return sums;
}

async function play(contender: Contender, seconds: number): Promise<Played> {
  await contender.prepare?.(seconds);
  const before = readCpuMs(contender.roots);
  const figures = await contender.run(seconds);
  return { ...figures, cpuMs: byRoot(cpuBetween(before, readCpuMs(contender.roots))) };
}

/** Adds the rounds of one contender up. */
export function tallyOf(contender: Contender, played: readonly Played[]): Tally {
  const add = (pick: (one: Played) => number) => played.reduce((sum, one) => sum + pick(one), 0);
  const [count, seconds] = [add((one) => one.count), add((one) => one.seconds)];
  const names = [...new Set(played.flatMap(({ cpuMs }) => Object.keys(cpuMs)))];
  const each = (ms: number, of: number) => (of === 0 ? 0 : (ms * 1_000) / of);
  const byProcess = names.map(
    (name) =>
      [
        name,
        each(
          add((one) => one.cpuMs[name] ?? 0),
          count,
        ),
      ] as const,
  );
  const countedMs = ({ cpuMs }: Played) =>
    sumOf(Object.fromEntries(Object.entries(cpuMs).filter(([name]) => isCounted(contender, name))));
  const p50s = played.map(({ p50Ms }) => p50Ms).sort((one, other) => one - other);
  return {
    name: contender.name,
    count,
    seconds,
    perSecond: seconds === 0 ? 0 : count / seconds,
    errors: add((one) => one.errors),
    example: played.find(({ example }) => example !== "")?.example ?? "",
    p50Ms: p50s[p50s.length >> 1] ?? 0,
    p99Ms: Math.max(0, ...played.map(({ p99Ms }) => p99Ms)),
    counted: names.filter((name) => isCounted(contender, name)),
    cpuUs: each(add(countedMs), count),
    cpuUsByProcess: Object.fromEntries(byProcess),
    rounds: played.map((one) => each(countedMs(one), one.count)),
  };
}

export interface ContestOptions {
  /** Of measured work for each contender, in all rounds together. */
  seconds: number;
  /** Default 6. */
  rounds?: number;
  /** Of work before that for each contender, so that its code is compiled. Default 2. */
  warmUpSeconds?: number;
  log(line: string): void;
}

/**
 * Lets contenders do the same work in turns: short rounds, in one order and then in the other, so that a
 * machine whose speed drifts is as fast for one as for the other.
 */
export async function compete(contenders: readonly Contender[], options: ContestOptions): Promise<ContestResult> {
  const { seconds, rounds = 6, warmUpSeconds = 2, log } = options;
  const played = new Map(contenders.map((contender) => [contender, [] as Played[]]));
  for (const contender of contenders) {
    const { errors, example } = await play(contender, warmUpSeconds);
    if (errors > 0) throw new Error(`${contender.name}: ${errors} errors while warming up, the first: ${example}`);
  }
  const before = readMachineTicks();
  for (let round = 0; round < rounds; round++)
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed())
      played.get(contender)!.push(await play(contender, seconds / rounds));
  const machine = machineBetween(before, readMachineTicks());
  const tallies = contenders.map((contender) => tallyOf(contender, played.get(contender)!));
  for (const { name, cpuUs, perSecond, errors } of tallies)
    log(`  ${name}: ${cpuUs.toFixed(1)} us of CPU each, ${perSecond.toFixed(0)}/s, errors ${errors}`);
  return { tallies, machine };
}

/**
 * How many times a floor's CPU ours is, over the processes that both have: what pgbench does is done by
 * PostgreSQL, so our Node does not stand against it. 0 when the floor did nothing.
 */
export function timesFloor(ours: Tally, floor: Tally): number {
  const shared = floor.counted.filter((name) => ours.counted.includes(name));
  const sum = ({ cpuUsByProcess }: Tally) => shared.reduce((total, name) => total + (cpuUsByProcess[name] ?? 0), 0);
  return sum(floor) === 0 ? 0 : sum(ours) / sum(floor);
}
