import assert from "node:assert/strict";
import { test } from "node:test";
import type { PendingCall } from "./bank-call.ts";
import { createCallQueue } from "./call-queue.ts";

const seqOf = (id: string) => BigInt(id.charCodeAt(0));
const callOf = (id: string): PendingCall => ({
  seq: seqOf(id),
  id,
  reference: id,
  bankCode: "081",
  operation: { kind: "inquire" },
  route: undefined,
  traceparent: undefined,
});
const callsOf = (...ids: string[]) => ids.map(callOf);

/** A queue whose calls end when the test says so. */
function createQueue(concurrency: number, maxQueued: number) {
  const underWay = new Map<string, () => void>();
  const begun: string[] = [];
  const queue = createCallQueue({
    concurrency,
    maxQueued,
    make({ id }) {
      begun.push(id);
      return new Promise((resolve) => underWay.set(id, resolve));
    },
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    queue,
    begun,
    turn,
    async finish(id: string) {
      underWay.get(id)?.();
      await turn();
    },
  };
}

test("so many calls are under way as may be, the others in their order, each once", async () => {
  const { queue, begun, finish } = createQueue(2, 10);
  queue.add(callsOf("a", "b", "c", "a"));
  queue.add(callsOf("b", "d"));
  assert.deepEqual(begun, ["a", "b"]);
  await finish("b");
  assert.deepEqual(begun, ["a", "b", "c"]);
  assert.deepEqual(queue.heldSeqs(), ["a", "c", "d"].map(seqOf));
  await finish("a");
  await finish("c");
  await finish("d");
  assert.deepEqual([begun, queue.heldSeqs(), queue.holds("d")], [["a", "b", "c", "d"], [], false]);
});

test("a full queue has no room until calls have left it", async () => {
  const { queue, finish, turn } = createQueue(1, 2);
  let room = 0;
  const count = () => void room++;
  queue.add(callsOf("a", "b"));
  assert.equal(queue.free(), 1);
  await queue.whenRoom();
  queue.add(callsOf("c", "d"));
  assert.equal(queue.free(), 0);
  void queue.whenRoom().then(count);
  void queue.whenRoom().then(count);
  await finish("a");
  assert.equal(room, 0, "two still wait");
  await finish("b");
  await turn();
  assert.equal(room, 2);
});

test("a closed queue begins nothing, lets go of whoever waits for room, and says what was not begun", async () => {
  const { queue, begun, finish } = createQueue(1, 1);
  queue.add(callsOf("a", "b", "c"));
  const room = queue.whenRoom();
  let idle = false;
  assert.deepEqual(
    queue.close().map(({ id }) => id),
    ["b", "c"],
  );
  await room;
  queue.add(callsOf("d"));
  assert.deepEqual([queue.heldSeqs(), queue.holds("a")], [[seqOf("a")], true]);
  const done = queue.whenIdle().then(() => {
    idle = true;
  });
  assert.equal(idle, false);
  await finish("a");
  await done;
  assert.deepEqual(begun, ["a"]);
  await queue.whenIdle();
});
