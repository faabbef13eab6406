import { setTimeout as pause } from "node:timers/promises";
import { openAccounts } from "./accounts.ts";
import { checkBooksOf } from "./books.ts";
import { Driver } from "./driver/driver.ts";
import type { DriverSetUp, LoadFigures, LoadPlan, Mix } from "./driver/protocol.ts";
import { type Metered, startMeter } from "./measure/meter.ts";
import type { BenchPlatform } from "./platform.ts";
import { type ErrorKind, emptyMeasured, type LoadSecond, type Measured, type ScenarioContext } from "./scenario.ts";

/** Accounts at the driver, apart from what was measured: each phase adds to it. */
interface Totals {
  transfers: number;
  uncertain: number;
}

/** One measured stretch of a load. */
export interface Phase {
  figures: LoadFigures;
  metered: Metered;
  /** What failed before and after the measured stretch: while warming up, and while the open ones ended. */
  aside: LoadFigures[];
}

export interface PhaseOptions {
  plan: LoadPlan;
  warmUpSeconds: number;
  seconds: number;
  /** Shown with each line of progress. */
  name: string;
  /** Shows none, as of one turn of many. */
  quiet?: boolean;
}

/** One part of a load whose rate changes. */
export interface Stretch {
  name: string;
  ratePerSecond: number;
  seconds: number;
}

const PROGRESS_EVERY_SECONDS = 5;

function describeSecond(name: string, { second, done, errors, p50Ms, p99Ms }: LoadSecond): string {
  const late = errors > 0 ? `  errors ${errors}` : "";
  return `  ${name} ${String(second + 1).padStart(4)} s  ${String(done).padStart(6)}/s  p50 ${p50Ms.toFixed(0)} ms  p99 ${p99Ms.toFixed(0)} ms${late}`;
}

/** Drives a platform from a process of its own, one phase after the other, and checks the books at the end. */
export class Load {
  readonly setUp: DriverSetUp;
  readonly platform: BenchPlatform;
  readonly #driver: Driver;
  readonly #log: (line: string) => void;
  readonly #totals: Totals = { transfers: 0, uncertain: 0 };

  private constructor(platform: BenchPlatform, setUp: DriverSetUp, driver: Driver, log: (line: string) => void) {
    this.platform = platform;
    this.setUp = setUp;
    this.#driver = driver;
    this.#log = log;
  }

  /** Starts a fresh platform and a driver for it. */
  static async open({ options, log, startPlatform }: ScenarioContext): Promise<Load> {
    const platform = await startPlatform();
    log(`  platform up; opening ${options.accounts} accounts`);
    const setUp = await openAccounts(platform.platform.edge, options.accounts);
    return new Load(platform, setUp, await Driver.start(setUp), log);
  }

  /** Runs a load: warms up, measures, and waits for what is open. */
  async measure({ plan, warmUpSeconds, seconds, name, quiet = false }: PhaseOptions): Promise<Phase> {
    const log = quiet ? () => {} : this.#log;
    log(`  ${name}: warming up for ${warmUpSeconds} s, then measuring for ${seconds} s`);
    await this.#driver.start(plan);
    await pause(warmUpSeconds * 1_000);
    const warmUp = this.#add(await this.#driver.take());
    const measured = await this.#meter(name, seconds, log);
    return { ...measured, aside: [warmUp, this.#add(await this.#driver.stop())] };
  }

  /**
   * Runs an open loop whose rate changes from one stretch to the next, without a pause between them.
   *
   * @returns one phase for each; what ended after the last one stands aside in that.
   */
  async measureStretches(mix: Mix, maxOpen: number, stretches: readonly Stretch[]): Promise<Phase[]> {
    const phases: Phase[] = [];
    for (const { name, ratePerSecond, seconds } of stretches) {
      this.#log(`  ${name}: ${Math.round(ratePerSecond)} a second for ${seconds} s`);
      if (phases.length > 0) await this.#driver.changeRate(ratePerSecond);
      else await this.#driver.start({ mix, loop: { kind: "open", ratePerSecond, maxOpen } });
      phases.push({ ...(await this.#meter(name, seconds, this.#log)), aside: [] });
    }
    phases.at(-1)?.aside.push(this.#add(await this.#driver.stop()));
    return phases;
  }

  async #meter(
    name: string,
    seconds: number,
    log: (line: string) => void,
  ): Promise<Pick<Phase, "figures" | "metered">> {
    this.#driver.onSecond = (second) => {
      if ((second.second + 1) % PROGRESS_EVERY_SECONDS === 0) log(describeSecond(name, second));
    };
    const meter = startMeter(this.platform.roots);
    await pause(seconds * 1_000);
    this.#driver.onSecond = () => {};
    const figures = this.#add(await this.#driver.take());
    return { figures, metered: meter.stop() };
  }

  /** Counts transfers that came into the books in another way. */
  addCompleted(count: number): void {
    this.#totals.transfers += count;
  }

  #add(figures: LoadFigures): LoadFigures {
    this.#totals.transfers += figures.transfers;
    this.#totals.uncertain += figures.failed + figures.refused.unavailable;
    return figures;
  }

  /** Ends the driver and checks the books. @returns what does not hold. */
  async close(): Promise<string[]> {
    this.#driver.end();
    this.#log("  checking the books");
    return checkBooksOf(this.platform.platform, {
      completed: this.#totals.transfers,
      uncertain: this.#totals.uncertain,
    });
  }

  /** Ends the driver without looking at the books, when something went wrong before. */
  abandon(): void {
    this.#driver.end();
  }
}

function mergeKinds(all: readonly LoadFigures[]): Record<string, ErrorKind> {
  const kinds: Record<string, ErrorKind> = {};
  for (const { errorKinds } of all)
    for (const [what, { count, examples }] of Object.entries(errorKinds)) {
      const known = kinds[what] ?? { count: 0, examples: [] };
      kinds[what] = { count: known.count + count, examples: [...known.examples, ...examples].slice(0, 3) };
    }
  return kinds;
}

/** Everything that was not as it should be: refusals, failures, and what could not be sent. */
export const errorsOf = ({ refused, failed, unsent }: LoadFigures): number =>
  refused.tooMany + refused.unavailable + failed + unsent;

/**
 * The figures of a phase. Errors are those of its warm-up and its end too.
 *
 * @param findings what does not hold in the books.
 */
export function measuredOf({ figures, metered, aside }: Phase, findings: readonly string[]): Measured {
  const all = [...aside, figures];
  const { done } = figures;
  const each = (ms: number) => (done === 0 ? 0 : ms / done);
  return {
    ...emptyMeasured(),
    count: done,
    measuredSeconds: figures.seconds,
    transfersPerSecond: done / figures.seconds,
    cpuMsPerTransfer: each(metered.totalCpuMs),
    p50Ms: figures.p50Ms,
    p99Ms: figures.p99Ms,
    shareOverOneSecond: each(figures.overOneSecond),
    errors: all.reduce((sum, one) => sum + errorsOf(one), 0),
    errorKinds: mergeKinds(all),
    booksOk: findings.length === 0,
    booksFindings: [...findings],
    cpuMsPerTransferByProcess: Object.fromEntries(Object.entries(metered.cpuMs).map(([name, ms]) => [name, each(ms)])),
    driverCpuMsPerTransfer: each(figures.driverCpuMs),
    machine: metered.machine,
    load: figures.perSecond,
    samples: metered.samples,
    window: metered.window,
    facts: { replays: all.reduce((sum, one) => sum + one.replays, 0) },
  };
}
