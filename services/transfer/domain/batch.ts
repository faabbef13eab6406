import type { LineFailure } from "./batch-line.ts";
import type { TransferState } from "./transfer.ts";

/** best-effort: each line by itself. all-or-nothing: no money moves before every line is held. */
export type BatchMode = "BEST_EFFORT" | "ALL_OR_NOTHING";

export type BatchState = "SCHEDULED" | "RUNNING" | "STOPPING" | "PARKED" | "COMPLETED" | "FAILED" | "CANCELED";

export type LineState = "PENDING" | "RUNNING" | "HELD" | "COMPLETED" | "FAILED" | "CANCELED" | "PARKED" | "DUPLICATE";

/** How long an all-or-nothing batch that names no expire time may gather its holds. */
export const GATE_MS = 10 * 60_000;

/** Batches of one member that may be under way at once: who plans more for one moment must not take all the room. */
export const MAX_UNDER_WAY = 20;
/** Batches of one member that may wait for their time. */
export const MAX_SCHEDULED = 100;

/**
 * What was decided about a batch, once and for ever. GO: every line was held, and money moves (all-or-nothing
 * only). STOP: what has not been sent is taken back.
 */
export type Verdict = { kind: "GO" } | { kind: "STOP"; failure: LineFailure };

export interface Batch {
  id: string;
  memberId: string;
  mode: BatchMode;
  state: BatchState;
  verdict: Verdict | undefined;
  /** The transfers that were on their way when the batch was stopped have been asked to turn back. */
  swept: boolean;
  executeAtMs: number | undefined;
  expireAtMs: number | undefined;
}

/** How the lines of a batch that are not at their end stand. */
export interface OpenLines {
  pending: boolean;
  /** Transfers on their way, those at the gate not counted. */
  running: number;
  held: boolean;
  parked: boolean;
  /** Whether a line has failed or was canceled. */
  failed: boolean;
  /** Batches under way in all, this one among them. */
  batches: number;
  /** Those of them that are its member's. */
  ofMember: number;
}

/** What is to be done next about a batch. */
export type BatchMove =
  | { kind: "nothing" }
  /** Look again then, Unix time in milliseconds. */
  | { kind: "wait"; untilMs: number }
  /** Its time has come; what all-or-nothing has not sent by then is taken back. */
  | { kind: "begin"; expireAtMs: number | undefined }
  | { kind: "stop"; failure: LineFailure }
  /** Lines that were not begun never will be. */
  | { kind: "drop-pending"; failure: LineFailure }
  /** Transfers on their way are asked to turn back. */
  | { kind: "sweep"; failure: LineFailure }
  /** Lines at the gate are told the verdict, so many at most. */
  | { kind: "answer-held"; count: number }
  /** Begins the transfers of so many lines at most. */
  | { kind: "begin-lines"; count: number }
  | { kind: "go" }
  | { kind: "show"; state: BatchState }
  | { kind: "end"; state: BatchState };

/** While only an operator can move it, somebody looks this often, in case a wake-up was lost. */
const PARKED_LOOK_MS = 10_000;
/** One whose time has come looks this often whether its member has room for it. */
const NO_ROOM_LOOK_MS = 5_000;
/** Lines that are taken back need no gentle pace. */
const STOP_CHUNK = 200;

const ENDS: ReadonlySet<BatchState> = new Set(["COMPLETED", "FAILED", "CANCELED"]);

export function hasBatchEnded(state: BatchState): boolean {
  return ENDS.has(state);
}

/** Whether nothing will move in a batch unless an operator acts: nobody waits for more. */
export function isBatchAtRest(state: BatchState): boolean {
  return hasBatchEnded(state) || state === "PARKED";
}

/** The state of a line whose transfer is in this state. */
export function lineStateOf(state: TransferState): LineState {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELED" || state === "PARKED" ? state : "RUNNING";
}

const EXPIRED: LineFailure = {
  code: "TRANSFER_EXPIRED",
  message: "the batch's expire time came before all of it was sent",
};

/** What the end of a batch is called. */
function endOf({ verdict }: Batch): BatchState {
  if (verdict?.kind !== "STOP") return "COMPLETED";
  return verdict.failure.code === "CANCELED_BY_MEMBER" ? "CANCELED" : "FAILED";
}

/**
 * Decides what is to be done next about a batch.
 *
 * @param linesUnderWay Lines of all batches together that may be on their way at once; batches share them evenly.
 */
export function nextMove(batch: Batch, open: OpenLines, nowMs: number, linesUnderWay: number): BatchMove {
  const { state, verdict, mode } = batch;
  if (hasBatchEnded(state)) return { kind: "nothing" };
  if (verdict?.kind === "STOP") return moveBack(batch, open, verdict.failure, nowMs);
  if (state === "SCHEDULED") return moveScheduled(batch, open, nowMs);
  if (verdict === undefined && batch.expireAtMs !== undefined && batch.expireAtMs <= nowMs && isOpen(open))
    return { kind: "stop", failure: EXPIRED };
  const share = Math.max(1, Math.floor(linesUnderWay / Math.max(1, open.batches)));
  const free = share - open.running;
  // In few large sets: a statement for a line costs as much as one for fifty.
  const worthIt = free >= Math.ceil(share / 4);
  if (open.pending) return worthIt ? { kind: "begin-lines", count: free } : { kind: "nothing" };
  if (mode === "ALL_OR_NOTHING" && verdict === undefined) return moveToGate(open);
  if (open.held) return worthIt ? { kind: "answer-held", count: free } : { kind: "nothing" };
  return moveToEnd(batch, open, nowMs);
}

function isOpen({ pending, running, held, parked }: OpenLines): boolean {
  return pending || running > 0 || held || parked;
}

function moveScheduled({ mode, executeAtMs, expireAtMs }: Batch, { ofMember }: OpenLines, nowMs: number): BatchMove {
  if (executeAtMs !== undefined && executeAtMs > nowMs) return { kind: "wait", untilMs: executeAtMs };
  if (ofMember >= MAX_UNDER_WAY) return { kind: "wait", untilMs: nowMs + NO_ROOM_LOOK_MS };
  return { kind: "begin", expireAtMs: expireAtMs ?? (mode === "ALL_OR_NOTHING" ? nowMs + GATE_MS : undefined) };
}

/** Before the verdict: every line must be held; one that is parked may still come, until the batch expires. */
function moveToGate({ running, parked, failed }: OpenLines): BatchMove {
  if (failed) return { kind: "stop", failure: { code: "BATCH_FAILED", message: "a line of the batch failed" } };
  return running > 0 || parked ? { kind: "nothing" } : { kind: "go" };
}

function moveBack(batch: Batch, open: OpenLines, failure: LineFailure, nowMs: number): BatchMove {
  if (open.pending) return { kind: "drop-pending", failure };
  if (!batch.swept) return { kind: "sweep", failure };
  if (open.held) return { kind: "answer-held", count: STOP_CHUNK };
  return moveToEnd(batch, open, nowMs);
}

function moveToEnd(batch: Batch, open: OpenLines, nowMs: number): BatchMove {
  if (!isOpen(open)) return { kind: "end", state: endOf(batch) };
  const shown = open.running === 0 && open.parked ? "PARKED" : batch.verdict?.kind === "STOP" ? "STOPPING" : "RUNNING";
  if (shown !== batch.state) return { kind: "show", state: shown };
  return shown === "PARKED" ? { kind: "wait", untilMs: nowMs + PARKED_LOOK_MS } : { kind: "nothing" };
}
