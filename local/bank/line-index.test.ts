import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { LineIndex } from "./line-index.ts";

test("every reference is found at its line, also when the table has grown, and no other is", () => {
  const index = new LineIndex(8);
  const lines = new Map(Array.from({ length: 5_000 }, (_, line) => [randomUUID() as string, line * 3]));
  for (const [reference, line] of lines) {
    assert.equal(index.get(reference), undefined);
    index.set(reference, line);
  }
  for (const [reference, line] of lines) assert.equal(index.get(reference), line);
  for (let count = 0; count < 1_000; count++) assert.equal(index.get(randomUUID()), undefined);
});

test("a reference that is written again is found at its last line", () => {
  const index = new LineIndex(8);
  for (let line = 0; line < 100; line++) index.set("same", line);
  assert.equal(index.get("same"), 99);
});
