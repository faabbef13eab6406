import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import type { Chance } from "./chance.ts";

/** One life of a component, from its start to its crash or stop. What a dead one asked for never happens. */
export class Life {
  readonly name: string;
  alive = true;
  /** Ends what the world holds for it, as connections, when it dies; resolves when that is done. */
  readonly atDeath: (() => Promise<void> | void)[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

/** Something that happens at a time. */
export interface Happening {
  readonly atMs: number;
  readonly order: number;
  readonly life: Life;
  readonly what: string;
  readonly run: () => unknown;
  canceled: boolean;
  /** Does not keep the world going: a timer that its owner let go of. */
  idle: boolean;
}

/** Where simulated time begins. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

const realSetImmediate = setImmediate;
/** Lets everything run that can run without anything new from outside. */
export async function drain(): Promise<void> {
  await new Promise((resolve) => realSetImmediate(resolve));
  await new Promise((resolve) => realSetImmediate(resolve));
}

export interface TraceLine {
  atMs: number;
  life: string;
  what: string;
}

/**
 * The world's time, and the order of all that happens in it. One thing happens at a time, and the next
 * one not before all that followed from it has come to rest: so the seed alone decides the order.
 */
export class Clockwork {
  readonly chance: Chance;
  /** The life of what no component does: the network, the bank, the clients. */
  readonly world = new Life("world");
  /** Hears of every step. */
  heard: ((line: TraceLine) => void) | undefined;
  /** Told after each step whose it was: where crashes begin. */
  afterStep: ((life: Life) => void) | undefined;
  steps = 0;
  readonly #current = new AsyncLocalStorage<Life>();
  readonly #queue: Happening[] = [];
  readonly #trace = createHash("sha256");
  #order = 0;
  #nowMs = 0;

  constructor(chance: Chance) {
    this.chance = chance;
  }

  /** Milliseconds since the world began. */
  get elapsedMs(): number {
    return this.#nowMs;
  }

  /** Unix time in milliseconds, as components see it. */
  get unixMs(): number {
    return Math.floor(EPOCH_MS + this.#nowMs);
  }

  /** The life that the code at hand belongs to. */
  get life(): Life {
    return this.#current.getStore() ?? this.world;
  }

  within<T>(life: Life, run: () => T): T {
    return this.#current.run(life, run);
  }

  /** Lets something happen after a time, to the life at hand unless another is named. */
  after(delayMs: number, what: string, run: () => unknown, { life = this.life, idle = false } = {}): Happening {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const happening: Happening = { atMs, order: this.#order++, life, what, run, canceled: false, idle };
    this.#push(happening);
    return happening;
  }

  /** Writes down what was decided, as a part of the trace. */
  note(what: string, life: Life = this.life): void {
    this.#trace.update(`${this.#nowMs.toFixed(3)} ${life.name} ${what}\n`);
    this.heard?.({ atMs: this.#nowMs, life: life.name, what });
  }

  /** A digest of all that happened until now. */
  get traceHash(): string {
    return this.#trace.copy().digest("hex").slice(0, 16);
  }

  /** Kills a life: its timers, messages and connections end with it. */
  async kill(life: Life): Promise<void> {
    life.alive = false;
    for (const end of life.atDeath.splice(0)) await end();
  }

  /**
   * Lets things happen, one after the other, until the condition holds or the time is over.
   *
   * @returns whether the condition held.
   */
  async runUntil(holds: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + limitMs;
    await drain();
    while (!holds()) {
      const next = this.#pop(untilMs);
      if (next === undefined) {
        this.#nowMs = untilMs;
        return holds();
      }
      await this.#step(next);
    }
    return true;
  }

  async #step(next: Happening): Promise<void> {
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    this.steps++;
    this.note(next.what, next.life);
    await this.within(next.life, next.run);
    await drain();
    this.afterStep?.(next.life);
  }

  #push(happening: Happening): void {
    const queue = this.#queue;
    let at = queue.push(happening) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(queue[parent]!, happening)) break;
      queue[at] = queue[parent]!;
      at = parent;
    }
    queue[at] = happening;
  }

  #pop(untilMs: number): Happening | undefined {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || first.atMs > untilMs) return undefined;
      this.#removeFirst();
      if (!first.canceled && first.life.alive) return first;
    }
  }

  #removeFirst(): void {
    const queue = this.#queue;
    const last = queue.pop()!;
    if (queue.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= queue.length) break;
      if (child + 1 < queue.length && isBefore(queue[child + 1]!, queue[child]!)) child++;
      if (isBefore(last, queue[child]!)) break;
      queue[at] = queue[child]!;
      at = child;
    }
    queue[at] = last;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
