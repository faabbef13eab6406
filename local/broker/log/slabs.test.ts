import assert from "node:assert/strict";
import { test } from "node:test";
import { Slabs } from "./slabs.ts";

test("copies keep what they were given, over the end of a slab and beside large ones", () => {
  const slabs = new Slabs();
  const lengths = Array.from({ length: 300 }, (_, index) => (index % 50 === 0 ? 70_000 : 1 + index * 37));
  const source = Buffer.alloc(70_000);
  const copies = lengths.map((length, index) => slabs.copy(source.subarray(0, length).fill(index)));
  source.fill(255);
  copies.forEach((copy, index) => {
    assert.ok(copy.equals(Buffer.alloc(lengths[index]!, index)), `copy ${index}`);
  });
});
