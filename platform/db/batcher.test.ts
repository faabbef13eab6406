import assert from "node:assert/strict";
import { test } from "node:test";
import { currentContext, newTraceparent, runInContext, type WorkContext } from "@ferry/platform/telemetry";
import { createBatcher } from "./batcher.ts";

test("concurrent calls are answered as one set, each with its own answer", async () => {
  const sets: number[][] = [];
  const batcher = createBatcher<number, number>({
    async run(inputs) {
      sets.push([...inputs]);
      return inputs.map((input) => input * 2);
    },
  });
  assert.deepEqual(await Promise.all([1, 2, 3].map((input) => batcher.add(input))), [2, 4, 6]);
  assert.deepEqual(sets, [[1, 2, 3]]);
});

test("a set has its limit, and while all are busy callers gather for the next", async () => {
  const sizes: number[] = [];
  const gate = Promise.withResolvers<void>();
  const batcher = createBatcher<number, number>({
    maxSize: 2,
    maxConcurrent: 1,
    async run(inputs) {
      sizes.push(inputs.length);
      await gate.promise;
      return inputs;
    },
  });
  const all = Promise.all([1, 2, 3, 4, 5].map((input) => batcher.add(input)));
  gate.resolve();
  assert.deepEqual(await all, [1, 2, 3, 4, 5]);
  assert.deepEqual(sizes, [2, 2, 1]);
});

test("an error reaches every caller of the set, and a wrong number of answers is one", async () => {
  const failing = createBatcher<number, number>({ run: () => Promise.reject(new Error("away")) });
  const results = await Promise.allSettled([failing.add(1), failing.add(2)]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  const short = createBatcher<number, number>({ run: async () => [] });
  await assert.rejects(short.add(1), /1 got 0 answers/);
});

test("one caller too many is refused", async () => {
  const batcher = createBatcher<number, number>({ maxWaiting: 1, run: async (inputs) => inputs });
  const first = batcher.add(1);
  await assert.rejects(batcher.add(2), /too many calls/);
  assert.equal(await first, 1);
});

test("a set runs in the trace of its first caller, but under nobody's deadline", async () => {
  const seen: WorkContext[] = [];
  const batcher = createBatcher<number, number>({
    async run(inputs) {
      seen.push(currentContext());
      return inputs;
    },
  });
  const traceparent = newTraceparent();
  const context = { traceparent, requestId: "r1", deadlineAtMs: 1 };
  await Promise.all([runInContext(context, () => batcher.add(1)), batcher.add(2)]);
  assert.deepEqual(seen, [{ traceparent, requestId: "r1" }]);
});
