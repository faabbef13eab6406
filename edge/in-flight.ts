import type { ServerResponse } from "node:http";
import { FerryError } from "@ferry/platform/errors";
import { Abort } from "./abort.ts";
import type { LoopLag } from "./loop-lag.ts";

/** The requests that are being served: how many there may be, and who ends them when nobody waits any more. */
export interface InFlight {
  /**
   * Counts a request until its answer is closed.
   * @returns Aborted when the client goes away before its answer, or when the edge stops.
   * @throws FerryError OVERLOADED, always the same one, when there are as many as allowed or the process is behind;
   *   CANCELED when the client went away before, while a limit was asked of its store: its place would never be free
   *   again, since its response has closed already.
   */
  enter(response: ServerResponse): Abort;
  /** Sheds a request that what it needs has no room for. @throws FerryError OVERLOADED, the same one. */
  shedCrowded(): never;
  readonly size: number;
  /** Requests that were refused, by why. */
  readonly shed: Readonly<{ crowded: number; late: number }>;
  /** Aborts all that are left. */
  abortAll(): void;
}

/** One for all: under three times the load that can be carried, most answers are this, and a stack is the dearest part of an error. */
const OVERLOADED = new FerryError("OVERLOADED", "more requests at once than can be served: try again shortly", {
  retryAfterMs: 1_000,
});

/**
 * Bounds how much is begun at once, which is what keeps an overloaded platform useful: beyond some hundreds of
 * transfers under way, one more is not carried sooner, all wait longer, and each refusal that comes early leaves
 * its time to those that were let in.
 *
 * @param max Requests at once, those that wait for their end included.
 * @param lag Whether the process keeps up with what it has taken on.
 */
export function createInFlight(max: number, lag: LoopLag): InFlight {
  const calls = new Set<Abort>();
  const shed = { crowded: 0, late: 0 };
  const refuse = (why: keyof typeof shed): never => {
    shed[why]++;
    throw OVERLOADED;
  };
  return {
    shed,
    shedCrowded: () => refuse("crowded"),
    get size() {
      return calls.size;
    },
    enter(response) {
      if (response.destroyed) throw new FerryError("CANCELED", "the client went away");
      const why = calls.size >= max ? "crowded" : lag.isLate() ? "late" : undefined;
      if (why !== undefined) refuse(why);
      const call = new Abort();
      calls.add(call);
      response.once("close", () => {
        calls.delete(call);
        if (!response.writableFinished) call.abort(new FerryError("CANCELED", "the client went away"));
      });
      return call;
    },
    abortAll() {
      for (const call of calls) call.abort(new FerryError("UNAVAILABLE", "the edge is stopping"));
    },
  };
}
