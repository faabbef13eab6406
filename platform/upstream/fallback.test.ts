import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { readMetrics } from "@ferry/platform/telemetry";
import { withLastAnswer } from "./fallback.ts";

function asked(limit?: number) {
  const world = {
    nowMs: 1_000_000,
    failure: undefined as FerryError | undefined,
    answer: "first" as string | undefined,
  };
  const ask = withLastAnswer<string, string>(
    async () => {
      if (world.failure !== undefined) throw world.failure;
      return world.answer;
    },
    { upstream: "test-ledger", maxAgeMs: 60_000, ...(limit === undefined ? {} : { limit }), now: () => world.nowMs },
  );
  return { world, ask };
}

const away = new FerryError("UNAVAILABLE", "away");

test("a clock that is set back makes no old answer young again", async (context) => {
  let isAway = false;
  const ask = withLastAnswer<string, string>(
    async () => {
      if (isAway) throw away;
      return "old";
    },
    { upstream: "test-clock", maxAgeMs: 0 },
  );
  assert.equal(await ask("a"), "old");
  isAway = true;
  const now = Date.now;
  context.mock.method(Date, "now", () => now() - 3_600_000);
  await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(ask("a"), away);
});

test("the last answer is given while nobody can be asked, as long as it is not too old", async () => {
  const { world, ask } = asked();
  assert.equal(await ask("a"), "first");
  world.answer = "second";
  assert.equal(await ask("a"), "second", "whoever can be asked is asked");
  world.failure = away;
  world.nowMs += 60_000;
  assert.equal(await ask("a"), "second");
  assert.match(await readMetrics(), /ferry_upstream_fallbacks_total\{upstream="test-ledger"\} 1/);
  world.nowMs += 1;
  await assert.rejects(ask("a"), away);
});

test("what was never asked, or had no answer, has none to fall back to", async () => {
  const { world, ask } = asked();
  await ask("gone");
  world.answer = undefined;
  assert.equal(await ask("gone"), undefined);
  world.failure = away;
  await assert.rejects(ask("gone"), away);
  await assert.rejects(ask("new"), away);
});

test("a refusal and shed load come as they are", async () => {
  const { world, ask } = asked();
  await ask("a");
  for (const reason of ["OVERLOADED", "PERMISSION_DENIED"] as const) {
    world.failure = new FerryError(reason, "no");
    await assert.rejects(ask("a"), world.failure);
  }
});

test("a limit on what is kept: the one asked for longest ago goes first", async () => {
  const { world, ask } = asked(2);
  for (const key of ["a", "b", "a", "c"]) await ask(key);
  world.failure = away;
  assert.equal(await ask("a"), "first");
  await assert.rejects(ask("b"), away);
});
