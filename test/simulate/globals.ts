// Time and chance of the whole process, as its code and its libraries ask for them, come from the clockwork
// while a world runs: Node's own functions are put back after it.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { newUuid } from "@ferry/platform/db";
import { newTraceparent } from "@ferry/platform/telemetry";
import type { Clockwork, Happening } from "./clockwork.ts";

const require = createRequire(import.meta.url);

/** What a timer gives: as much of NodeJS.Timeout as anybody uses. */
class Timer {
  readonly #begin: () => Happening;
  #happening: Happening;

  constructor(begin: () => Happening) {
    this.#begin = begin;
    this.#happening = begin();
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  refresh(): this {
    this.close();
    this.#happening = this.#begin();
    return this;
  }
  again(): void {
    this.#happening = this.#begin();
  }
  close(): this {
    this.#happening.canceled = true;
    return this;
  }
}

type Callback = (...args: unknown[]) => void;

function createTimers(clockwork: Clockwork) {
  const clear = (timer: unknown) => void (timer instanceof Timer && timer.close());
  const named = (delayMs: number) => `timer ${Math.round(delayMs)} ms`;
  return {
    setTimeout: (run: Callback, delayMs = 0, ...args: unknown[]) =>
      new Timer(() => clockwork.after(Math.max(1, delayMs), named(delayMs), () => run(...args))),
    setInterval(run: Callback, everyMs = 1, ...args: unknown[]) {
      const timer: Timer = new Timer(() =>
        clockwork.after(Math.max(1, everyMs), named(everyMs), () => {
          timer.again();
          run(...args);
        }),
      );
      return timer;
    },
    setImmediate: (run: Callback, ...args: unknown[]) =>
      new Timer(() => clockwork.after(0, "immediate", () => run(...args))),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
}

interface DelayOptions {
  signal?: AbortSignal;
}

function createDelays(clockwork: Clockwork) {
  function delay<T>(delayMs = 1, value?: T, { signal }: DelayOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        happening.canceled = true;
        reject(
          Object.assign(new Error("The operation was aborted", { cause: signal?.reason }), {
            name: "AbortError",
            code: "ABORT_ERR",
          }),
        );
      };
      const happening = clockwork.after(Math.max(1, delayMs), `timer ${Math.round(delayMs)} ms`, () => {
        signal?.removeEventListener("abort", aborted);
        resolve(value as T);
      });
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted, { once: true });
    });
  }
  return { setTimeout: delay, setImmediate: <T>(value?: T) => delay(0, value) };
}

/** Date as the world's clock shows it. */
function createDate(clockwork: Clockwork): DateConstructor {
  const RealDate = Date;
  const now = () => clockwork.unixMs;
  class WorldDate extends RealDate {
    constructor(...args: [] | [value: number | string | Date]) {
      if (args.length === 0) super(now());
      else super(...args);
    }
    static override now(): number {
      return now();
    }
  }
  return WorldDate as unknown as DateConstructor;
}

function createCrypto(clockwork: Clockwork) {
  const chance = clockwork.chance.fork("crypto");
  const filled = { count: 0 };
  function randomFillSync<T extends NodeJS.ArrayBufferView>(view: T): T {
    chance.fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    filled.count++;
    return view;
  }
  function randomUUID(): string {
    const hex = randomFillSync(Buffer.alloc(16)).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  }
  return {
    functions: { randomFillSync, randomUUID, randomBytes: (size: number) => randomFillSync(Buffer.alloc(size)) },
    filled,
  };
}

/** How busy the machine is, is not the seed's to decide. */
const QUIET = { idle: 1, active: 0, utilization: 0 };

function replace(target: object, values: object): () => void {
  const before = new Map(Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(target, name)]));
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
  return () => {
    for (const [name, descriptor] of before)
      if (descriptor !== undefined) Object.defineProperty(target, name, descriptor);
      else Reflect.deleteProperty(target, name);
  };
}

/** Random bytes that are left over from before would make the first ids of a world another's. */
function useUpLeftovers(filled: { count: number }): void {
  for (const take of [newUuid, newTraceparent]) for (const before = filled.count; filled.count === before; ) take();
}

/** Puts the world's time and chance in the place of the machine's. @returns what puts them back. */
export function takeOver(clockwork: Clockwork): () => void {
  const chance = clockwork.chance.fork("math");
  const { functions, filled } = createCrypto(clockwork);
  const undo = [
    replace(globalThis, { ...createTimers(clockwork), Date: createDate(clockwork) }),
    replace(performance, { now: () => clockwork.elapsedMs, eventLoopUtilization: () => QUIET }),
    replace(Math, { random: () => chance.next() }),
    replace(require("node:timers"), createTimers(clockwork)),
    replace(require("node:timers/promises"), createDelays(clockwork)),
    replace(require("node:crypto"), functions),
  ];
  syncBuiltinESMExports();
  useUpLeftovers(filled);
  return () => {
    for (const each of undo) each();
    syncBuiltinESMExports();
  };
}
