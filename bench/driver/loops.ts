import { setTimeout as pause } from "node:timers/promises";
import type { HttpClient } from "./http.ts";
import type { LoadPlan } from "./protocol.ts";
import type { Outcome, Recorder } from "./recorder.ts";
import { createSchedule } from "./schedule.ts";
import { type Sent, send } from "./send.ts";
import type { Workload } from "./workload.ts";

/** One transfer in so many is sent a second time with its key, and the answer is checked. */
const REPLAY_EVERY = 100;
/** A caller that was refused or failed comes again after so long. */
const PAUSE_AFTER_FAILURE_MS = 100;
const TICK_MS = 2;

export interface LoadRun {
  /** Only an open loop has a rate. */
  changeRate(ratePerSecond: number): void;
  /** Sends no more. Resolves when nothing is open. */
  stop(): Promise<void>;
}

interface LoopParts {
  http: HttpClient;
  workload: Workload;
  recorder: Recorder;
}

/** Carries out the next order and records it. Never rejects. @param sinceMs from when its duration counts. */
function createRunner({ http, workload, recorder }: LoopParts): (sinceMs: number) => Promise<Outcome> {
  let count = 0;
  return async (sinceMs) => {
    const order = workload.next();
    let endedMs = 0;
    let outcome: Sent;
    try {
      outcome = await send(http, order, {
        replay: ++count % REPLAY_EVERY === 0,
        wantId: workload.remembers,
        ended: () => {
          endedMs = performance.now();
        },
      });
    } catch (error) {
      outcome = { kind: "failed", what: "a connection broke", example: String(error) };
    }
    if (outcome.transferId !== undefined) workload.ended(outcome.transferId, order.member);
    recorder.record(outcome, endedMs - sinceMs);
    return outcome;
  };
}

function runClosed(parts: LoopParts, inFlight: number): LoadRun {
  const runNext = createRunner(parts);
  let stopped = false;
  async function call(): Promise<void> {
    while (!stopped) {
      const outcome = await runNext(performance.now());
      if (outcome.kind === "refused" || outcome.kind === "failed") await pause(PAUSE_AFTER_FAILURE_MS);
    }
  }
  const callers = Array.from({ length: inFlight }, call);
  return {
    changeRate() {
      throw new Error("a closed loop has no rate");
    },
    async stop() {
      stopped = true;
      await Promise.all(callers);
    },
  };
}

function runOpen(parts: LoopParts, ratePerSecond: number, maxOpen: number): LoadRun {
  const runNext = createRunner(parts);
  let schedule = createSchedule(performance.now(), ratePerSecond);
  const open = new Set<Promise<unknown>>();
  const timer = setInterval(() => {
    for (const dueMs of schedule.due(performance.now())) {
      if (open.size >= maxOpen) {
        parts.recorder.recordUnsent();
        continue;
      }
      const one: Promise<unknown> = runNext(dueMs).finally(() => open.delete(one));
      open.add(one);
    }
  }, TICK_MS);
  return {
    changeRate(changed) {
      schedule = createSchedule(performance.now(), changed);
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** Starts a load. It runs until it is stopped. */
export function startLoop(parts: LoopParts, loop: LoadPlan["loop"]): LoadRun {
  switch (loop.kind) {
    case "closed":
      return runClosed(parts, loop.inFlight);
    case "open":
      return runOpen(parts, loop.ratePerSecond, loop.maxOpen);
    default:
      return loop satisfies never;
  }
}
