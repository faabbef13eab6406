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
  /** How long it was waited for while it was armed, all attempts together. */
  waitedMs: number;
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

/** Most points are passed many times a second under load. */
const REACH_MS = 1_000;
/** A rare one is waited for; what is not reached by then belongs to the start. */
const REACH_RARE_MS = 5_000;
const REACH_AT_START_MS = 10_000;
const BACK_MS = 40_000;
const ASK_EVERY_MS = 75;
const LONGEST_NTH = 4;
/** Between a process that is back and its next end, so that work goes on meanwhile. */
const GAP_MS = 250;

/** A point, and one at which the process that starts again dies then: that saves a start of its own. */
interface Turn {
  point: Point;
  next?: Point;
}

function inTurns(points: readonly Point[]): Turn[] {
  const running = points.filter(({ atStart }) => !atStart);
  const starting = points.filter(({ atStart }) => atStart);
  const turns = running.map((point): Turn => {
    const next = starting.pop();
    return next === undefined ? { point } : { point, next };
  });
  return [...turns, ...starting.map((point) => ({ point }))];
}

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
        const turns = inTurns(this.#options.random.fork(name).shuffled(own));
        for (const [index, turn] of turns.entries()) {
          await this.#enter(turns.length - index);
          try {
            if (signal.aborted) return;
            await this.#kill(turn);
          } finally {
            this.#leave();
          }
          await pause(GAP_MS * (0.5 + this.#options.random.next()));
        }
      }),
    );
  }

  async #kill({ point, next }: Turn): Promise<void> {
    const { control } = this.#options;
    const { process: name } = point;
    const pid = control.pidOf(name);
    if (next !== undefined) control.armNext(name, { point: next.point, nth: 1 });
    const nextDead = next === undefined ? () => false : this.#deathAt(next);
    const wasRunning = !point.atStart && (await this.#killRunning(point));
    this.#count(point, wasRunning || (await this.#killStarting(point)));
    if (next !== undefined && wasRunning) this.#count(next, await this.#diesStarting(next, nextDead));
    await this.#whenBack(name, pid);
    // Its arm has given way to the one of a point that turned out to be passed at the start.
    if (next !== undefined && !wasRunning) await this.#kill({ point: next });
  }

  /** @returns a look whether the process has died at the point since now. */
  #deathAt({ process: name, point }: Point): () => boolean {
    const { control } = this.#options;
    const before = control.deathsAt(name, point);
    return () => control.deathsAt(name, point) > before;
  }

  #count(point: Point, isDead: boolean): void {
    if (isDead) {
      point.kills++;
      this.#options.killed(point);
    } else point.missed++;
  }

  async #killRunning(point: Point): Promise<boolean> {
    const { control, random } = this.#options;
    const { process: name } = point;
    const dead = this.#deathAt(point);
    const startedAt = Date.now();
    // One that had to be waited for before is taken when it comes.
    const isRare = point.waitedMs > REACH_MS * (point.kills + point.missed);
    control.arm(name, { point: point.point, nth: isRare ? 1 : 1 + random.below(LONGEST_NTH) });
    await waitFor("", dead, REACH_MS).catch(() => control.arm(name, { point: point.point, nth: 1 }));
    if (!dead()) await waitFor("", dead, REACH_RARE_MS).catch(() => control.arm(name, undefined));
    point.waitedMs += Date.now() - startedAt;
    return dead();
  }

  /** Ends the process by a plain SIGKILL, so that its next life dies at the point. */
  async #killStarting(point: Point): Promise<boolean> {
    const { control } = this.#options;
    const dead = this.#deathAt(point);
    const pid = control.pidOf(point.process);
    control.armNext(point.process, { point: point.point, nth: 1 });
    if (pid !== undefined) kill(pid);
    return this.#diesStarting(point, dead);
  }

  /** Whether a life that was armed for the point dies there; if not, it goes on without. */
  async #diesStarting(point: Point, dead: () => boolean): Promise<boolean> {
    const { control } = this.#options;
    await waitFor("", dead, REACH_AT_START_MS).catch(() => control.arm(point.process, undefined));
    point.atStart = dead();
    return point.atStart;
  }

  async #whenBack(name: string, former: number | undefined): Promise<void> {
    const { control, platform } = this.#options;
    await waitFor(
      `${name} to be back`,
      async () => {
        const pid = control.pidOf(name);
        if (pid === undefined || pid === former) return false;
        await pause(ASK_EVERY_MS); // To be asked is work for a process that starts.
        return isBack(platform, name);
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

/** What a process says about what it lacks to do its work: nothing is nothing; undefined when it does not answer. */
async function lacksOf(platform: Platform, name: string): Promise<string[] | undefined> {
  const found = platform.readUpFile().processes.find((process) => process.name === name);
  const port = Number(found?.address.split(":")[1]);
  if (Number.isNaN(port)) return undefined;
  const probe = name === "edge" ? port : port + 1_000;
  try {
    const response = await fetch(`http://127.0.0.1:${probe}/readyz`, { signal: AbortSignal.timeout(1_000) });
    const { reasons = [] } = (await response.json()) as { reasons?: string[] };
    return response.ok || reasons.length > 0 ? reasons : ["unknown"];
  } catch {
    return undefined; // It is not there, or was killed while it answered.
  }
}

/** Whether a process says that it can do its work. */
export async function isReady(platform: Platform, name: string): Promise<boolean> {
  return (await lacksOf(platform, name))?.length === 0;
}

/** Whether a process does its work again, as far as others let it: the edge is not ready while any service is down. */
async function isBack(platform: Platform, name: string): Promise<boolean> {
  const lacks = await lacksOf(platform, name);
  return lacks?.every((lack) => name === "edge" && lack.endsWith(": no connection")) ?? false;
}
