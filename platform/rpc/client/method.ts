import type { DescMethod } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import { type CallFigures, calledFigures } from "../metrics.ts";
import { getPolicy, type Policy, pathOf, readWaitMs } from "../policy.ts";
import { currentDeadlineAtMs } from "../work.ts";

/** An rpc with what a call of it needs, made at its first call. */
export interface CalledMethod {
  desc: DescMethod;
  path: string;
  policy: Policy;
  figures: CallFigures;
}

/** What is kept of a caller's time for its own work after the call, in milliseconds. */
export const DEADLINE_MARGIN_MS = 50;

const known = new WeakMap<DescMethod, CalledMethod>();

/** @throws Error when the contract has no policy for the rpc. */
export function calledMethod(desc: DescMethod): CalledMethod {
  let method = known.get(desc);
  if (method === undefined) {
    const path = pathOf(desc);
    method = { desc, path, policy: getPolicy(desc), figures: calledFigures(path) };
    known.set(desc, method);
  }
  return method;
}

/**
 * When a call must be over, Unix time in milliseconds: the caller's own time-out or else the
 * contract's, and never more than what remains of the call that is being answered, less a margin.
 * Streams that stay open (deadline 0 in the contract) have none: Infinity.
 *
 * @throws FerryError DEADLINE_EXCEEDED when nothing remains.
 */
export function deadlineOf({ policy }: CalledMethod, timeoutMs: number | undefined, prefer?: string | null): number {
  const now = Date.now();
  let deadlineAtMs = Infinity;
  if (timeoutMs !== undefined) deadlineAtMs = now + timeoutMs;
  else if (policy.deadlineMs > 0) deadlineAtMs = now + policy.deadlineMs + readWaitMs(prefer, policy);
  if (policy.deadlineMs > 0) {
    const ambient = currentDeadlineAtMs();
    if (ambient !== undefined) deadlineAtMs = Math.min(deadlineAtMs, ambient - DEADLINE_MARGIN_MS);
  }
  if (deadlineAtMs <= now) throw new FerryError("DEADLINE_EXCEEDED", "no time remains for the call");
  return deadlineAtMs;
}
