import assert from "node:assert/strict";
import { test } from "node:test";
import { createWaiters } from "./waiters.ts";

test("whoever waits is woken when this instance ends it, and others are not", async () => {
  const waiters = createWaiters({ findEnded: async () => [] });
  const first = waiters.wait("a", 60_000);
  const second = waiters.wait("a", 60_000);
  const other = waiters.wait("b", 60_000);
  waiters.ended(["a"]);
  assert.deepEqual(await Promise.all([first.done, second.done]), [true, true]);
  waiters.close();
  assert.equal(await other.done, false);
});

test("what another instance ended is found by looking", async () => {
  const asked: string[][] = [];
  const waiters = createWaiters({
    lookEveryMs: 1,
    findEnded: async (ids) => {
      asked.push([...ids]);
      return asked.length < 3 ? [] : ["a"];
    },
  });
  assert.equal(await waiters.wait("a", 60_000).done, true);
  assert.deepEqual(asked, [["a"], ["a"], ["a"]]);
});

test("waiting ends with its time, and one caller too many is refused", async () => {
  const waiters = createWaiters({ findEnded: async () => [], maxWaiting: 1 });
  const waiting = waiters.wait("a", 1);
  assert.throws(() => waiters.wait("b", 1), /too many callers/);
  assert.equal(await waiting.done, false);
  const next = waiters.wait("b", 60_000);
  next.cancel();
  assert.equal(await next.done, false);
  waiters.close();
});
