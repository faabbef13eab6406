import type { ServerResponse } from "node:http";
import { FerryError } from "@ferry/platform/errors";

/** The requests that are being served: how many there may be, and who ends them when nobody waits any more. */
export interface InFlight {
  /**
   * Counts a request until its answer is closed.
   * @returns Aborted when the client goes away before its answer, or when the edge stops.
   * @throws FerryError OVERLOADED when there are as many as allowed.
   */
  enter(response: ServerResponse): AbortController;
  readonly size: number;
  /** Aborts all that are left. */
  abortAll(): void;
}

export function createInFlight(max: number): InFlight {
  const calls = new Set<AbortController>();
  return {
    get size() {
      return calls.size;
    },
    enter(response) {
      if (calls.size >= max)
        throw new FerryError("OVERLOADED", "more requests at once than can be served: try again shortly", {
          retryAfterMs: 1_000,
        });
      const call = new AbortController();
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
