import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@ferry/platform/telemetry";
import { every } from "./every.ts";

/** Lets time pass, and then what it has set off. */
function clockOf(context: TestContext) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  return async (ms: number) => {
    context.mock.timers.tick(ms);
    for (let count = 0; count < 10; count++) await Promise.resolve();
  };
}

test("a turn comes a period after the end of the one before it, however long that took", async (context) => {
  const passes = clockOf(context);
  let begun = 0;
  let turn = Promise.withResolvers<void>();
  const work = () => {
    begun++;
    turn = Promise.withResolvers();
    return turn.promise;
  };
  const component = every({ name: "turns", periodMs: 1_000, work, what: "it failed", logger: silentLogger });
  await component.start();
  await passes(999);
  assert.equal(begun, 0, "not with the start");
  await passes(1);
  assert.equal(begun, 1);
  await passes(10_000);
  assert.equal(begun, 1, "never two at once");
  turn.resolve();
  await passes(0);
  await passes(999);
  assert.equal(begun, 1);
  await passes(1);
  assert.equal(begun, 2);
  turn.resolve();
  await component.stop();
});

test("a turn that fails is a warning, and the next one comes", async (context) => {
  const passes = clockOf(context);
  const warnings: unknown[] = [];
  const logger = { ...silentLogger, warn: (fields: object, message: string) => void warnings.push([fields, message]) };
  let begun = 0;
  const work = async () => {
    if (++begun === 1) throw new Error("the database is away");
  };
  const component = every({ name: "turns", periodMs: 1_000, work, what: "it failed", logger, atStart: true });
  await component.start();
  await passes(0);
  assert.equal(begun, 1, "with the start");
  assert.deepEqual(warnings, [[{ error: "Error: the database is away" }, "it failed"]]);
  await passes(1_000);
  assert.equal(begun, 2);
  assert.equal(warnings.length, 1);
  await component.stop();
});

test("the stop tells the turn that runs, waits for it, and lets no other begin", async (context) => {
  const passes = clockOf(context);
  const turn = Promise.withResolvers<void>();
  let begun = 0;
  let told = false;
  const work = (stopping: AbortSignal) => {
    begun++;
    stopping.addEventListener("abort", () => {
      told = true;
    });
    return turn.promise;
  };
  const component = every({
    ...{ name: "turns", periodMs: 1_000, work, what: "it failed", atStart: true },
    logger: silentLogger,
  });
  await component.start();
  let stopped = false;
  const stop = component.stop().then(() => {
    stopped = true;
  });
  await passes(5_000);
  assert.deepEqual({ told, stopped }, { told: true, stopped: false });
  turn.resolve();
  await stop;
  await passes(5_000);
  assert.equal(begun, 1);
});

test("stopped between two turns, it begins no other", async (context) => {
  const passes = clockOf(context);
  let begun = 0;
  const work = async () => {
    begun++;
  };
  const component = every({ name: "turns", periodMs: 1_000, work, what: "it failed", logger: silentLogger });
  await component.start();
  await passes(1_000);
  await component.stop();
  await passes(5_000);
  assert.equal(begun, 1);
});
