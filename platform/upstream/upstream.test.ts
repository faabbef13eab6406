import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { readMetrics, silentLogger } from "@ferry/platform/telemetry";
import { createUpstream, type UpstreamOptions } from "./upstream.ts";

class Ill extends Error {}

function upstreamOf(options: Partial<UpstreamOptions> = {}) {
  return createUpstream({
    name: "bank",
    isIllError: (error) => error instanceof Ill,
    isIllAnswer: (answer) => answer === "ill",
    // Not over before a test has looked at the open breaker, also where the machine is busy.
    breaker: { minCalls: 10, firstPauseMs: 250, longestPauseMs: 250 },
    logger: silentLogger,
    ...options,
  });
}

const ill = () => Promise.reject(new Ill("away"));
const well = () => Promise.resolve("well");
const isOpen = (error: unknown) => error instanceof FerryError && error.reason === "UNAVAILABLE";

async function failOften(upstream: ReturnType<typeof upstreamOf>, times: number): Promise<void> {
  for (let call = 0; call < times; call++) await assert.rejects(upstream.run(ill), Ill);
}

/** Calls until it is no longer refused: the pause is over then. */
async function untilTried<T>(upstream: ReturnType<typeof upstreamOf>, call: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await upstream.run(call);
    } catch (error) {
      if (!isOpen(error)) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
}

test("opens when enough calls failed, refuses without calling, and closes after one that goes well", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: Date.now() }); // Its pause is over when the test says so.
  const upstream = upstreamOf();
  await failOften(upstream, 10);
  assert.equal(upstream.status().state, "open");
  let called = 0;
  await assert.rejects(
    upstream.run(async () => called++),
    (error) => isOpen(error) && (error as FerryError).retryAfterMs !== undefined,
  );
  assert.equal(called, 0);
  context.mock.timers.tick(250);
  assert.equal(await untilTried(upstream, well), "well");
  const { state, opened, refusedOpen } = upstream.status();
  assert.deepEqual([state, opened, refusedOpen > 0], ["closed", 1, true]);
  upstream.close();
});

test("a clock that is set back does not keep it open for as long", { timeout: 60_000 }, async (context) => {
  const upstream = upstreamOf();
  await failOften(upstream, 10);
  const now = Date.now;
  context.mock.method(Date, "now", () => now() - 3_600_000);
  assert.equal(await untilTried(upstream, well), "well");
  assert.equal(upstream.status().state, "closed");
  upstream.close();
});

test("a try that fails keeps it open", async () => {
  const upstream = upstreamOf();
  await failOften(upstream, 10);
  await assert.rejects(untilTried(upstream, ill), Ill);
  assert.deepEqual([upstream.status().state, upstream.status().opened], ["open", 2]);
  upstream.close();
});

test("while one call tries, the others are refused and do not wait for it", async () => {
  const upstream = upstreamOf();
  await failOften(upstream, 10);
  const { promise, resolve } = Promise.withResolvers<string>();
  const tried = untilTried(upstream, () => promise);
  while (upstream.status().state !== "half-open") await new Promise((turn) => setImmediate(turn));
  await assert.rejects(upstream.run(well), isOpen);
  resolve("well");
  assert.equal(await tried, "well");
  upstream.close();
});

test("an ill answer counts as a failure, and still comes", async () => {
  const upstream = upstreamOf();
  for (let call = 0; call < 10; call++) assert.equal(await upstream.run(async () => "ill"), "ill");
  assert.equal(upstream.status().state, "open");
  upstream.close();
});

test("refusals, few calls, and a part of failures leave it closed", async () => {
  const upstream = upstreamOf();
  await failOften(upstream, 9);
  assert.equal(upstream.status().state, "closed", "too few calls to judge by");
  const refusal = new FerryError("INSUFFICIENT_BALANCE", "no");
  for (let call = 0; call < 5; call++)
    await assert.rejects(
      upstream.run(() => Promise.reject(refusal)),
      refusal,
    );
  for (let call = 0; call < 20; call++)
    await assert.rejects(
      upstream.run(
        call % 2 === 0
          ? ill
          : async () => {
              throw refusal;
            },
      ),
    );
  assert.equal(upstream.status().state, "closed", "about half of the calls failed, and 0.7 is the limit");
  upstream.close();
});

test("one call too many is refused with OVERLOADED, and there is room again after", async () => {
  const upstream = upstreamOf({ maxInFlight: 2 });
  const { promise, resolve } = Promise.withResolvers<string>();
  const two = [upstream.run(() => promise), upstream.run(() => promise)];
  await assert.rejects(upstream.run(well), (error) => error instanceof FerryError && error.reason === "OVERLOADED");
  assert.deepEqual([upstream.status().inFlight, upstream.status().refusedFull], [2, 1]);
  resolve("well");
  await Promise.all(two);
  assert.equal(await upstream.run(well), "well");
  assert.equal(upstream.status().state, "closed", "a full room says nothing about the upstream");
  upstream.close();
});

test("shows itself in the metrics until it is closed", async () => {
  const upstream = upstreamOf({ name: "shown" });
  await failOften(upstream, 10);
  assert.match(await readMetrics(), /ferry_upstream_broken\{upstream="shown"\} 1/);
  assert.match(await readMetrics(), /ferry_upstream_opened_total\{upstream="shown"\} 1/);
  upstream.close();
  assert.doesNotMatch(await readMetrics(), /upstream="shown"/);
});
