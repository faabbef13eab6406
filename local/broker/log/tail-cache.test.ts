import assert from "node:assert/strict";
import { test } from "node:test";
import { Tail, TailCache } from "./tail-cache.ts";

const TEN_BYTES = 10;

function fill(cache: TailCache, tail: Tail, from: number, count: number): void {
  for (let at = from; at < from + count; at += 1) cache.add(tail, at * 2, at * 2 + 1, Buffer.alloc(TEN_BYTES, at));
}

function read(tail: Tail, offset: number, maxBytes = 1_000, atLeastOne = false): number[] {
  const into: Buffer[] = [];
  const bytes = tail.read(offset, maxBytes, atLeastOne, into);
  assert.equal(bytes, into.length * TEN_BYTES);
  return into.map((batch) => batch[0]!);
}

test("batches are read from the one that holds the offset on, within the bytes allowed", () => {
  const tail = new Tail();
  fill(new TailCache(1_000), tail, 0, 5);
  assert.deepEqual(read(tail, 0), [0, 1, 2, 3, 4]);
  assert.deepEqual(read(tail, 5), [2, 3, 4]);
  assert.deepEqual(read(tail, 4, 25), [2, 3]);
  assert.deepEqual(read(tail, 4, 5), []);
  assert.deepEqual(read(tail, 4, 5, true), [2]);
});

test("the oldest batches of all partitions make room", () => {
  const cache = new TailCache(5 * TEN_BYTES);
  const [first, second] = [new Tail(), new Tail()];
  fill(cache, first, 0, 3);
  fill(cache, second, 0, 4);
  assert.equal(first.firstOffset, 4);
  assert.deepEqual(read(first, 4), [2]);
  fill(cache, second, 4, 1);
  assert.equal(first.firstOffset, Number.POSITIVE_INFINITY);
  assert.equal(second.firstOffset, 0);
  fill(cache, first, 3, 1);
  assert.equal(first.firstOffset, 6, "what was dropped before is not taken for present");
});

test("memory for what was dropped is given back over many batches", () => {
  const cache = new TailCache(3 * TEN_BYTES);
  const tail = new Tail();
  fill(cache, tail, 0, 5_000);
  assert.equal(tail.firstOffset, 4_997 * 2);
  assert.deepEqual(
    read(tail, tail.firstOffset),
    [4_997, 4_998, 4_999].map((value) => value % 256),
  );
});
