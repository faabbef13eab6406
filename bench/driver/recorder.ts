import type { ErrorKind, LoadSecond } from "../scenario.ts";
import { Histogram } from "./histogram.ts";
import type { LoadFigures } from "./protocol.ts";

const MAX_KINDS = 50;
const MAX_EXAMPLES = 3;
const MAX_EXAMPLE_LENGTH = 500;
const MAX_SECONDS = 100_000;

/** How one request ended. */
export type Outcome =
  | { kind: "transfer" | "read"; replayed?: boolean }
  | { kind: "refused"; status: 429 | 503; retryAfter: boolean; example: string }
  | { kind: "failed"; what: string; example: string };

/** Counts what happens. Memory is bounded, whatever the length of a run. */
export class Recorder {
  readonly #all = new Histogram();
  readonly #second = new Histogram();
  readonly #clock: () => number;
  readonly #cpu: () => number;
  readonly #heard: (second: LoadSecond) => void;
  #figures: LoadFigures = emptyFigures();
  #startedMs: number;
  #cpuStartedMs: number;
  #secondErrors = 0;

  /**
   * @param clock milliseconds that only grow. @param cpu CPU of this process in milliseconds.
   * @param heard told of each second that ended.
   */
  constructor(clock: () => number, cpu: () => number, heard: (second: LoadSecond) => void) {
    this.#clock = clock;
    this.#cpu = cpu;
    this.#heard = heard;
    this.#startedMs = clock();
    this.#cpuStartedMs = cpu();
  }

  record(outcome: Outcome, durationMs: number): void {
    const figures = this.#figures;
    switch (outcome.kind) {
      case "transfer":
      case "read":
        figures.done++;
        if (outcome.kind === "transfer") figures.transfers++;
        if (outcome.replayed) figures.replays++;
        this.#all.add(durationMs);
        this.#second.add(durationMs);
        return;
      case "refused":
        if (outcome.status === 429) figures.refused.tooMany++;
        else figures.refused.unavailable++;
        if (outcome.retryAfter) figures.refused.withRetryAfter++;
        this.#remember(String(outcome.status), outcome.example);
        return;
      case "failed":
        figures.failed++;
        this.#remember(outcome.what, outcome.example);
        return;
      default:
        outcome satisfies never;
    }
  }

  /** A request was due but as many as allowed were open. */
  recordUnsent(): void {
    this.#figures.unsent++;
    this.#remember("not sent: as many as allowed were open", "");
  }

  #remember(what: string, example: string): void {
    this.#secondErrors++;
    const kinds = this.#figures.errorKinds;
    const name = what in kinds || Object.keys(kinds).length < MAX_KINDS ? what : "other";
    const kind: ErrorKind = kinds[name] ?? { count: 0, examples: [] };
    kinds[name] = kind;
    kind.count++;
    if (example !== "" && kind.examples.length < MAX_EXAMPLES) kind.examples.push(example.slice(0, MAX_EXAMPLE_LENGTH));
  }

  /** Ends a second; the caller keeps the clock. */
  endSecond(): void {
    const second: LoadSecond = {
      second: this.#figures.perSecond.length,
      done: this.#second.count,
      errors: this.#secondErrors,
      p50Ms: this.#second.percentile(0.5),
      p99Ms: this.#second.percentile(0.99),
    };
    if (this.#figures.perSecond.length < MAX_SECONDS) this.#figures.perSecond.push(second);
    this.#second.clear();
    this.#secondErrors = 0;
    this.#heard(second);
  }

  /** Gives the figures since the last time, and starts new ones. */
  take(): LoadFigures {
    const now = this.#clock();
    const cpuMs = this.#cpu();
    const figures = {
      ...this.#figures,
      seconds: (now - this.#startedMs) / 1_000,
      p50Ms: this.#all.percentile(0.5),
      p99Ms: this.#all.percentile(0.99),
      overOneSecond: this.#all.overOneSecond,
      driverCpuMs: cpuMs - this.#cpuStartedMs,
    };
    this.#figures = emptyFigures();
    this.#all.clear();
    this.#second.clear();
    this.#secondErrors = 0;
    this.#startedMs = now;
    this.#cpuStartedMs = cpuMs;
    return figures;
  }
}

export function emptyFigures(): LoadFigures {
  return {
    seconds: 0,
    done: 0,
    transfers: 0,
    p50Ms: 0,
    p99Ms: 0,
    overOneSecond: 0,
    refused: { tooMany: 0, unavailable: 0, withRetryAfter: 0 },
    unsent: 0,
    failed: 0,
    errorKinds: {},
    replays: 0,
    perSecond: [],
    driverCpuMs: 0,
  };
}
