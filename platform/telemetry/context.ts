import { AsyncLocalStorage } from "node:async_hooks";
import { randomFillSync } from "node:crypto";

/** What belongs to the work at hand, wherever it is. */
export interface WorkContext {
  /** The request id that a client sees in meta.requestId. */
  requestId?: string;
  /** W3C trace context, as it came or as it was made here. */
  traceparent?: string;
}

const storage = new AsyncLocalStorage<WorkContext>();
const SAMPLED_DIGITS = "13579bdf";
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context of the work at hand; empty outside of any. */
export function currentContext(): WorkContext {
  return storage.getStore() ?? {};
}

export function runInContext<T>(context: WorkContext, run: () => T): T {
  return storage.run(context, run);
}

/**
 * Random bytes that are left. The system's source costs 5 us a call however few bytes are asked for, which is why
 * they are fetched for many ids at once; none is used twice.
 */
const random = Buffer.alloc(24 * 256);
let randomAt = random.length;

/** A new trace (https://www.w3.org/TR/trace-context/). Sampled traces are written to the log hop by hop. */
export function newTraceparent(sampled = false): string {
  if (randomAt === random.length) {
    randomFillSync(random);
    randomAt = 0;
  }
  const hex = random.toString("hex", randomAt, randomAt + 24);
  randomAt += 24;
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-${sampled ? "01" : "00"}`;
}

/** Whether a text is a trace context that may be passed on. */
export function isTraceparent(text: string | undefined): text is string {
  return text !== undefined && TRACEPARENT.test(text);
}

/** The trace id (32 hex digits) of a trace context, or undefined when it is none. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1];
}

export function isSampled(traceparent: string | undefined): boolean {
  // Few traces are sampled: the last digit alone tells it of the others.
  if (traceparent === undefined || !SAMPLED_DIGITS.includes(traceparent.slice(-1))) return false;
  const flags = TRACEPARENT.exec(traceparent)?.[3];
  return flags !== undefined && (Number.parseInt(flags, 16) & 1) === 1;
}
