import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

/** What belongs to the work at hand, wherever it is. */
export interface WorkContext {
  /** The request id that a client sees in meta.requestId. */
  requestId?: string;
  /** W3C trace context, as it came or as it was made here. */
  traceparent?: string;
}

const storage = new AsyncLocalStorage<WorkContext>();
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context of the work at hand; empty outside of any. */
export function currentContext(): WorkContext {
  return storage.getStore() ?? {};
}

export function runInContext<T>(context: WorkContext, run: () => T): T {
  return storage.run(context, run);
}

/** A new trace (https://www.w3.org/TR/trace-context/). Sampled traces are written to the log hop by hop. */
export function newTraceparent(sampled = false): string {
  return `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-${sampled ? "01" : "00"}`;
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
  const flags = traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[3];
  return flags !== undefined && (Number.parseInt(flags, 16) & 1) === 1;
}
