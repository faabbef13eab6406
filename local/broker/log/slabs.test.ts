import assert from "node:assert/strict";
import { test } from "node:test";
import { Slabs } from "./slabs.ts";

test("copies keep what they were given, over the end of a slab and beside large ones", () => {
  const slabs = new Slabs();
  const lengths = Array.from({ length: 300 }, (_, index) => (index % 50 === 0 ? 70_000 : 1 + index * 37));
  const source = Buffer.alloc(70_000);
  const copies = lengths.map((length, index) => {
    const copy = slabs.copy(source.subarray(0, length).fill(index));
    slabs.keep(copy);
    return copy;
  });
  source.fill(255);
  copies.forEach((copy, index) => {
    assert.ok(copy.equals(Buffer.alloc(lengths[index]!, index)), `copy ${index}`);
  });
});

test("memory of what was let go is used again, and what is kept is left alone", () => {
  const slabs = new Slabs();
  const kept: { copy: Buffer; mark: number }[] = [];
  const pieces = new Set<ArrayBufferLike>();
  for (let at = 0; at < 5_000; at++) {
    const copy = slabs.copy(Buffer.alloc(10_000, at));
    pieces.add(copy.buffer);
    if (at % 7 === 0) continue; // It was refused.
    slabs.keep(copy);
    kept.push({ copy, mark: at });
    if (kept.length > 200) slabs.letGo(kept.shift()!.copy);
    if (at % 100 === 0)
      for (const { copy, mark } of kept) assert.ok(copy.equals(Buffer.alloc(10_000, mark)), `${mark}`);
  }
  assert.ok(pieces.size <= 5, `2 MB are kept, and ${pieces.size} pieces of 1 MB were needed`);
});

test("a piece of which nothing is kept is used from its beginning again", () => {
  const slabs = new Slabs();
  const pieces = new Set(Array.from({ length: 500 }, () => slabs.copy(Buffer.alloc(10_000)).buffer));
  assert.equal(pieces.size, 1);
});
