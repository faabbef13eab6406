import assert from "node:assert/strict";
import { test } from "node:test";
import { createWaiters } from "./waiters.ts";

test("whoever waits is woken with the end when this instance ends it, and others are not", async () => {
  const waiters = createWaiters<string>({ findEnded: async () => [] });
  const first = waiters.wait("a", 60_000);
  const second = waiters.wait("a", 60_000);
  const other = waiters.wait("b", 60_000);
  waiters.ended("a", "done");
  assert.deepEqual(await Promise.all([first.done, second.done]), ["done", "done"]);
  waiters.close();
  assert.equal(await other.done, undefined);
});

test("what another instance ended is found by looking, not before it has waited for a while", async () => {
  const asked: string[][] = [];
  const waiters = createWaiters<string>({
    lookEveryMs: 1,
    findEnded: async (ids) => {
      asked.push([...ids]);
      return asked.length < 3 ? [] : [["a", "done"]];
    },
  });
  const early = waiters.wait("a", 60_000);
  assert.equal(await early.done, "done");
  assert.deepEqual(asked, [["a"], ["a"], ["a"]]);
});

test("a look that fails is followed by another", async () => {
  let looks = 0;
  const waiters = createWaiters<string>({
    lookEveryMs: 1,
    findEnded: async () => {
      if (++looks === 1) throw new Error("the database is away");
      return [["a", "done"]];
    },
  });
  assert.equal(await waiters.wait("a", 60_000).done, "done");
  assert.equal(looks, 2);
});

test("waiting ends with its time, and one caller too many is refused", async () => {
  const waiters = createWaiters<string>({ findEnded: async () => [], maxWaiting: 1 });
  const waiting = waiters.wait("a", 1);
  assert.throws(() => waiters.wait("b", 1), /too many callers/);
  assert.equal(await waiting.done, undefined);
  const next = waiters.wait("b", 60_000);
  next.cancel();
  assert.equal(await next.done, undefined);
  waiters.close();
});
