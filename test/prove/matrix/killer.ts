import { setTimeout as pause } from "node:timers/promises";
import type { FailpointControl } from "../../support/failpoints/control.ts";
import { type Platform, waitFor } from "../../support/platform.ts";
import type { Random } from "../random.ts";

/** A point in a process, and what became of it so far. */
export interface Point {
  process: string;
  point: string;
  kills: number;
  /** How often it was not reached in its time. */
  missed: number;
  /** It is passed while the process starts, and seldom later. */
  atStart: boolean;
}

/** What was never reached in so many attempts is passed once in the data's life: no more time is spent on it. */
const HOPELESS_MISSES = 2;
export const isHopeless = ({ kills, missed }: Point) => kills === 0 && missed >= HOPELESS_MISSES;

export interface KillerOptions {
  platform: Platform;
  control: FailpointControl;
  random: Random;
  /** Processes that may be down at once. */
  lanes: number;
  /** Told of each kill. */
  killed(point: Point): void;
}

/** A point under load is passed many times a second; one that is not reached by then belongs to the start. */
const REACH_MS = 4_000;
const REACH_AT_START_MS = 10_000;
const BACK_MS = 40_000;
const LONGEST_NTH = 4;
/** Between a process that is back and its next end, so that work goes on meanwhile. */
const GAP_MS = 400;

/** Kills processes at their points, one after another in each process, several processes at once. */
export class Killer {
  readonly #options: KillerOptions;
  #free: number;
  readonly #waiting: { left: number; go: () => void }[] = [];

  constructor(options: KillerOptions) {
    this.#options = options;
    this.#free = options.lanes;
  }

  /** Kills at each of the points once, in an order of chance. Ends early, after the kill at hand, when asked to. */
  async killAtEach(points: readonly Point[], signal: AbortSignal): Promise<void> {
    const byProcess = Map.groupBy(points, ({ process }) => process);
    await Promise.all(
      [...byProcess].map(async ([name, own]) => {
        for (const [index, point] of this.#options.random.fork(name).shuffled(own).entries()) {
          await this.#enter(own.length - index);
          try {
            if (signal.aborted) return;
            await this.#killAt(point);
          } finally {
            this.#leave();
          }
          await pause(GAP_MS * (0.5 + this.#options.random.next()));
        }
      }),
    );
  }

  async #killAt(point: Point): Promise<void> {
    const { control, random, killed } = this.#options;
    const { process: name } = point;
    const before = control.deathsAt(name, point.point);
    const pid = control.pidOf(name);
    const dead = () => control.deathsAt(name, point.point) > before;
    if (!point.atStart) {
      // A rare one is taken when it comes.
      const nth = point.missed > 0 ? 1 : 1 + random.below(LONGEST_NTH);
      control.arm(name, { point: point.point, nth });
      await waitFor("", dead, REACH_MS).catch(() => control.arm(name, { point: point.point, nth: 1 }));
      if (!dead()) await waitFor("", dead, REACH_MS / 2).catch(() => control.arm(name, undefined));
    }
    if (!dead()) await this.#killAtStart(point, dead);
    if (dead()) {
      point.kills++;
      killed(point);
    } else point.missed++;
    await this.#whenBack(name, pid);
  }

  /** Ends the process by a plain SIGKILL, so that its next life dies at the point. */
  async #killAtStart(point: Point, dead: () => boolean): Promise<void> {
    const { control } = this.#options;
    const pid = control.pidOf(point.process);
    control.armNext(point.process, { point: point.point, nth: 1 });
    if (pid !== undefined) kill(pid);
    await waitFor("", dead, REACH_AT_START_MS).catch(() => control.arm(point.process, undefined));
    point.atStart = dead();
  }

  async #whenBack(name: string, former: number | undefined): Promise<void> {
    const { control, platform } = this.#options;
    await waitFor(
      `${name} to be back`,
      async () => {
        const pid = control.pidOf(name);
        return pid !== undefined && pid !== former && (await isReady(platform, name));
      },
      BACK_MS,
    );
  }

  async #enter(left: number): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((go) => this.#waiting.push({ left, go }));
  }

  /** Who has most before them goes first: a window lasts as long as the longest list. */
  #leave(): void {
    const next = this.#waiting.sort((one, other) => one.left - other.left).pop();
    if (next === undefined) this.#free++;
    else next.go();
  }
}

/** Ends a process at once. One that has just ended, at the point that was given up a moment ago, has its next life anyway. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Whether a process says that it can do its work. */
export async function isReady(platform: Platform, name: string): Promise<boolean> {
  const found = platform.readUpFile().processes.find((process) => process.name === name);
  const port = Number(found?.address.split(":")[1]);
  if (Number.isNaN(port)) return false;
  const probe = name === "edge" ? port : port + 1_000;
  return fetch(`http://127.0.0.1:${probe}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}
