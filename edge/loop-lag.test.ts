import assert from "node:assert/strict";
import { ServerResponse } from "node:http";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { until } from "../test/support/until.ts";
import { createInFlight } from "./in-flight.ts";
import { createLoopLag } from "./loop-lag.ts";

/** Holds the event loop up, as a computation that is too long does. */
function block(forMs: number): void {
  for (const untilMs = performance.now() + forMs; performance.now() < untilMs; );
}

const response = () => new ServerResponse({ method: "GET" } as never);

test("while the event loop is behind, requests are refused, and taken again when it has caught up", async () => {
  const lag = createLoopLag(100);
  const inFlight = createInFlight(10, lag);
  inFlight.enter(response());
  // Each look sets the timer that is then held up; a lag that was measured long ago would be forgotten.
  await until("the lag is noticed", () => {
    if (lag.isLate()) return true;
    block(600);
  });
  assert.ok(lag.averageMs > 100, `${lag.averageMs}`);
  const isOverloaded = (error: unknown) => error instanceof FerryError && error.reason === "OVERLOADED";
  assert.throws(() => inFlight.enter(response()), isOverloaded);
  assert.deepEqual([inFlight.size, inFlight.shed.late, inFlight.shed.crowded], [1, 1, 0]);
  await until("it has caught up", () => !lag.isLate() || undefined);
  inFlight.enter(response());
  assert.equal(inFlight.size, 2);
});

test("a limit of 0 sheds nobody", async () => {
  const lag = createLoopLag(0);
  assert.equal(lag.isLate(), false);
  block(300);
  assert.equal(lag.isLate(), false);
});
