// What the bench and its driver, a process of its own, say to each other. Every command has one answer.
import type { ErrorKind, LoadSecond } from "../scenario.ts";

/** What is asked for: transfers to another bank, within the platform, half of them from 8 accounts, or nine reads and one transfer. */
export type Mix = "bank" | "internal" | "hot" | "reads";

export interface LoadPlan {
  mix: Mix;
  loop: { kind: "closed"; inFlight: number } | { kind: "open"; ratePerSecond: number; maxOpen: number };
}

/** A member whose accounts pay. */
export interface Member {
  accessToken: string;
  refreshToken: string;
}

/** An account that pays, and whose it is, by position among the members. */
export interface Payer {
  accountId: string;
  member: number;
}

export interface DriverSetUp {
  edge: string;
  members: Member[];
  payers: Payer[];
}

/** What happened since the figures were last taken. */
export interface LoadFigures {
  seconds: number;
  done: number;
  /** Of those done, the ones that were transfers; fewer than `done` where there are reads. */
  transfers: number;
  /** Durations of those done: from when a request was sent, or in the open loop from when it was due. */
  p50Ms: number;
  p99Ms: number;
  overOneSecond: number;
  /** 429 and 503, by status, and how many of them said when to come again. */
  refused: { tooMany: number; unavailable: number; withRetryAfter: number };
  /** Due in the open loop while as many as allowed were open. */
  unsent: number;
  /** Everything else that was not as it should be. */
  failed: number;
  errorKinds: Record<string, ErrorKind>;
  /** Requests repeated with the same key, and answered as they should. */
  replays: number;
  perSecond: LoadSecond[];
  /** CPU of the driver itself, in milliseconds. */
  driverCpuMs: number;
}

export type Command =
  | { type: "set-up"; setUp: DriverSetUp }
  | { type: "start"; plan: LoadPlan }
  /** Gives the open loop another rate, from now on. */
  | { type: "change-rate"; ratePerSecond: number }
  /** Gives the figures since the last time, and starts new ones. */
  | { type: "take" }
  /** Sends no more, waits for what is open, and gives the figures. */
  | { type: "stop" };

export type Answer = { type: "done" } | { type: "figures"; figures: LoadFigures } | { type: "broken"; message: string };

/** Unasked: the second that just ended. */
export interface Progress {
  type: "second";
  second: LoadSecond;
}
