import type pg from "pg";
import type { carryOut, PeerTransfer, Steps } from "./transfer.ts";

/** What a peer's program gets. */
export interface ProgramContext {
  pool: pg.Pool;
  /** The steps in plain SQL, to be made durable by the peer. */
  steps: Steps;
  /** The whole way of a transfer in steps: given here, since a program with packages of its own runs elsewhere. */
  carryOut: typeof carryOut;
  /** Transfers in flight at once. */
  inFlight: number;
  /** Addresses and switches of this peer. */
  settings: Readonly<Record<string, string>>;
}

/** A peer at work, in the process of the driver. */
export interface RunningPeer {
  /**
   * Transfers that one call carries out: 1 unless the peer works in sets. The number in flight is a
   * multiple of it.
   */
  setSize?: number;
  /** Resolves when all of the set are complete and durable, as a client of the peer sees it. */
  carryOut(transfers: readonly PeerTransfer[]): Promise<unknown>;
  stop(): Promise<void>;
}

/** What a peer's program exports. */
export interface PeerProgram {
  start(context: ProgramContext): Promise<RunningPeer>;
}

/** What the process of the driver is sent. */
export interface Job {
  /** The address of the program, as a file: URL. */
  program: string;
  databaseUrl: string;
  settings: Readonly<Record<string, string>>;
  inFlight: number;
  warmUpSeconds: number;
  seconds: number;
  /** Processes of the peer beside the driver's own, by name (see measure/cpu.ts). */
  roots: Readonly<Record<string, number>>;
}

/** What the process of the driver sends back. */
export interface DriverReport {
  /** Transfers complete within the window. */
  transfers: number;
  windowSeconds: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU within the window, in milliseconds by process: the driver's own under "program". */
  cpuMs: Record<string, number>;
  /** Cores that other processes of the machine kept busy within the window: figures beside 0.2 and more say little. */
  othersCores: number;
  /** Transfers that failed in the peer, in the whole run. */
  errors: number;
  firstError: string | null;
  /** What does not add up in the books, a sentence each. */
  faults: string[];
}
