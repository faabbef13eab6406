import assert from "node:assert/strict";
import { test } from "node:test";
import { waitSecondsOf } from "./prefer.ts";

test("the first wait counts, in any spelling, and what is none is ignored", () => {
  const cases: [prefer: string | undefined, seconds: number][] = [
    [undefined, 0],
    ["wait=5", 5],
    ['Wait = "7" ; x=y', 7],
    ["respond-async, wait=3", 3],
    ["wait=x, wait=3", 0],
    ['wait="5;3"', 0],
    ["wait=99", 30],
    ["await=5", 0],
  ];
  for (const [prefer, seconds] of cases) assert.equal(waitSecondsOf(prefer, 30), seconds, prefer ?? "none");
  assert.equal(waitSecondsOf("wait=5", 0), 0);
});

test("a header of spaces is read in a time that grows with its length alone", () => {
  const spaces = " ".repeat(500_000);
  const startedMs = performance.now();
  for (const prefer of [`wait=${spaces}x y`, `wait${spaces}`, `${spaces}wait${spaces}=${spaces}"5"${spaces}x`])
    assert.equal(waitSecondsOf(prefer, 30), 0);
  assert.ok(performance.now() - startedMs < 5_000, "a squared length would take minutes");
});
