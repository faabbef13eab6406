// What a scenario is, and what it gives: the one interface that everything in this room stands on.
import type { BenchOptions } from "./options.ts";
import type { BenchPlatform } from "./platform.ts";

/** What is counted: whole transfers, single calls, or messages. */
export type Unit = "transfer" | "call" | "message";

export interface Scenario {
  /** As --scenario takes it, "bank-transfers". */
  name: string;
  /** One sentence for --list and the page. */
  summary: string;
  unit: Unit;
  /** Seconds that are measured when --seconds is not given. Default 20. */
  seconds?: number;
  run(context: ScenarioContext): Promise<Measured>;
}

export interface ScenarioContext {
  /** With `seconds` filled in. */
  options: BenchOptions & { seconds: number };
  /** Progress, a line at a time. */
  log(line: string): void;
  /**
   * Starts a fresh platform as `npm start` does. For each run of a scenario the one that is measured, and at most
   * one more to compare it with; the runner stops them afterwards and takes their data away.
   *
   * @param environment Variables for the launcher and every process.
   */
  startPlatform(environment?: Record<string, string>): Promise<BenchPlatform>;
}

/** One second of the measured time, as the driver saw it. */
export interface LoadSecond {
  /** Whole seconds since the measurement began. */
  second: number;
  done: number;
  errors: number;
  /** Of what ended in this second; 0 when nothing did. */
  p50Ms: number;
  p99Ms: number;
}

/** What the processes were doing at one time. */
export interface ProcessSample {
  /** Seconds since the measurement began. */
  atSeconds: number;
  /** Percent of one core since the sample before, by process. */
  cpuPercent: Record<string, number>;
  /** Proportional set size in MiB, by process; taken with every fifth sample. */
  memoryMiB?: Record<string, number>;
}

export interface ErrorKind {
  count: number;
  /** The first few answers of this kind. */
  examples: string[];
}

/** The figures of a scenario. "Transfer" stands for its unit: a transfer, a call or a message. */
export interface Measured {
  count: number;
  measuredSeconds: number;
  transfersPerSecond: number;
  /** CPU of all processes of the platform, PostgreSQL, broker and bank included, the driver left out. */
  cpuMsPerTransfer: number;
  p50Ms: number;
  p99Ms: number;
  /** 0 to 1. */
  shareOverOneSecond: number;
  /** Answers other than the scenario wants, broken connections, and what could not be sent. */
  errors: number;
  errorKinds: Record<string, ErrorKind>;
  /** Whether the books hold at the end; where there are no books, whether what went in came out exactly once. */
  booksOk: boolean;
  booksFindings: string[];
  cpuMsPerTransferByProcess: Record<string, number>;
  /** Beside cpuMsPerTransfer, not in it. */
  driverCpuMsPerTransfer: number;
  machine: MachineShare;
  load: LoadSecond[];
  samples: ProcessSample[];
  /** When it was measured, in microseconds of the monotonic clock: where to look in a CPU profile. */
  window?: { fromUs: number; toUs: number };
  /** What only this scenario has to tell, with units in the names, as { "share of mixed accounts": 0.93 }. */
  facts: Record<string, number | string | boolean>;
}

export interface MachineShare {
  /** Percent of all cores over the measured time. */
  idlePercent: number;
  /** Percent that the hypervisor gave to others. */
  stealPercent: number;
}

export interface Calibration {
  /** CPU time of the fixed piece of work (see measure/calibration.ts) before and after the scenario, in milliseconds. */
  beforeMs: number;
  afterMs: number;
  /** The mean of both. */
  cpuMs: number;
  /** What it takes on the machine of the published figures. */
  referenceMs: number;
  /** cpuMs / referenceMs: how much slower this machine is. Figures of CPU are divided by it to be compared. */
  factor: number;
  /** Whether the machine counts as slow: see SLOW_FACTOR. */
  slow: boolean;
}

export interface ScenarioReport extends Measured {
  scenario: string;
  summary: string;
  unit: Unit;
  /** RFC 3339. */
  startedAt: string;
  calibration: Calibration;
  node: string;
  commit: string;
  options: Record<string, string | number | boolean>;
}

/** The file that a run leaves. */
export interface BenchReport {
  format: "ferry-bench-1";
  startedAt: string;
  node: string;
  commit: string;
  machine: { cpus: number; model: string; memoryMiB: number; kernel: string };
  scenarios: ScenarioReport[];
  peers?: PeerReport[];
}

/** The result of a peer (see peers/), and our figures of the same run divided by its. */
export interface PeerReport {
  peer: string;
  note: string;
  unavailable?: string;
  transfersPerSecond?: number;
  p50Ms?: number;
  p99Ms?: number;
  cpuMsPerTransfer?: number;
  booksOk?: boolean;
  /** Our transfers a second over the peer's; absent when the peer could not be had. */
  timesOurs?: number;
}

/** A result with nothing in it, for scenarios that fill in what they have. */
export function emptyMeasured(): Measured {
  return {
    count: 0,
    measuredSeconds: 0,
    transfersPerSecond: 0,
    cpuMsPerTransfer: 0,
    p50Ms: 0,
    p99Ms: 0,
    shareOverOneSecond: 0,
    errors: 0,
    errorKinds: {},
    booksOk: true,
    booksFindings: [],
    cpuMsPerTransferByProcess: {},
    driverCpuMsPerTransfer: 0,
    machine: { idlePercent: 0, stealPercent: 0 },
    load: [],
    samples: [],
    facts: {},
  };
}
