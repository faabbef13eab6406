import type { LoadPlan } from "./driver/protocol.ts";
import { errorsOf, type Load } from "./load.ts";
import { mean } from "./measure/growth.ts";
import { change } from "./report/compare.ts";
import { decimals, table, whole } from "./report/text.ts";

/** What one platform did in one turn. */
export interface Turn {
  transfersPerSecond: number;
  cpuMsPerTransfer: number;
  p99Ms: number;
  /** CPU by process, in milliseconds for one transfer. */
  byProcess: Record<string, number>;
  errors: number;
}

export interface TurnsOptions {
  plan: LoadPlan;
  /** Turns that each of the two gets. */
  rounds: number;
  /** Of a turn. Default 3. */
  seconds?: number;
  /** Told of every round, as "round 3 of 16: 1,001 and 1,040 a second". */
  log(line: string): void;
}

export const TURN_SECONDS = 3;
/** A platform that has just been idle gets so long to come to its speed before a turn is measured. */
const SETTLE_SECONDS = 1;

/**
 * Two platforms that are both up, in turns: the load goes to one and then to the other, a few seconds each, in
 * changing order. What a shared machine does in a minute it does to both, so the ratio of twins is sure to a few
 * percent where two runs, one after the other, may differ by a third.
 *
 * @returns the turns of each: those at the same place are twins.
 */
export async function takeTurns(
  [first, second]: readonly [Load, Load],
  { plan, rounds, seconds = TURN_SECONDS, log }: TurnsOptions,
): Promise<[Turn[], Turn[]]> {
  const taken: [Turn[], Turn[]] = [[], []];
  for (let round = 1; round <= rounds; round++) {
    const takeFirst = async () => taken[0].push(await takeTurn(first, plan, seconds));
    const takeSecond = async () => taken[1].push(await takeTurn(second, plan, seconds));
    for (const take of round % 2 === 0 ? [takeSecond, takeFirst] : [takeFirst, takeSecond]) await take();
    const rates = taken.map((turns) => whole(turns.at(-1)!.transfersPerSecond));
    log(`  round ${round} of ${rounds}: ${rates.join(" and ")} a second`);
  }
  return taken;
}

async function takeTurn(load: Load, plan: LoadPlan, seconds: number): Promise<Turn> {
  const options = { plan, warmUpSeconds: SETTLE_SECONDS, seconds, name: "", quiet: true };
  const { figures, metered, aside } = await load.measure(options);
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

/** A table of both, with the change of each figure and how sure it is. @param names What the two are called. */
export function compareTurns(before: readonly Turn[], now: readonly Turn[], names = ["before", "now"]): string[] {
  const rows = [["", ...names, "change", "±"]];
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
  const used = new Set([...before, ...now].flatMap(({ byProcess }) => Object.keys(byProcess)));
  const processes = [...used]
    .map((name) => ({ name, old: cpuOf(before, name), young: cpuOf(now, name) }))
    .filter(({ old, young }) => Math.max(old, young) >= LEAST_MS)
    .sort((a, b) => b.young - a.young);
  for (const { name, old, young } of processes)
    rows.push([`  of it ${name}`, decimals(old, 3), decimals(young, 3), change(old, young), ""]);
  return table(rows).map((line) => `  ${line}`);
}
