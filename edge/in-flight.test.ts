import assert from "node:assert/strict";
import { ServerResponse } from "node:http";
import { test } from "node:test";
import { FerryError, type Reason } from "@ferry/platform/errors";
import { createInFlight } from "./in-flight.ts";
import { createLoopLag } from "./loop-lag.ts";
import { createStreams } from "./streams.ts";

const response = () => new ServerResponse({ method: "GET" } as never);
const isReason = (reason: Reason) => (error: unknown) => error instanceof FerryError && error.reason === reason;

test("a request has a place until its answer is closed", () => {
  const inFlight = createInFlight(1, createLoopLag(0));
  const first = response();
  const abort = inFlight.enter(first);
  assert.throws(() => inFlight.enter(response()), isReason("OVERLOADED"));
  first.emit("close");
  assert.deepEqual([abort.aborted, inFlight.size], [true, 0]);
  inFlight.enter(response());
});

test("who went away while a limit was asked of its store takes no place: nothing would free it", () => {
  const inFlight = createInFlight(1, createLoopLag(0));
  const gone = response();
  gone.destroy();
  assert.throws(() => inFlight.enter(gone), isReason("CANCELED"));
  assert.equal(inFlight.size, 0);
});

test("a stream whose client went away before it was opened takes no place either", () => {
  const streams = createStreams({ max: 1, maxEach: 1 });
  const gone = new AbortController();
  gone.abort(new FerryError("CANCELED", "the client went away"));
  assert.throws(() => streams.enter("m1", gone), isReason("CANCELED"));
  const { leave } = streams.enter("m1", new AbortController());
  assert.throws(() => streams.enter("m1", new AbortController()), isReason("OVERLOADED"));
  leave();
  streams.enter("m1", new AbortController());
});
