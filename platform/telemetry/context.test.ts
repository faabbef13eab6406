import assert from "node:assert/strict";
import { test } from "node:test";
import { isSampled, isTraceparent, newTraceparent, traceIdOf } from "./index.ts";

test("traces are made in their form, never the same twice, and say whether they are sampled", () => {
  const made = Array.from({ length: 2_000 }, (_, index) => newTraceparent(index % 2 === 0));
  assert.ok(made.every(isTraceparent));
  assert.equal(new Set(made.map(traceIdOf)).size, made.length);
  assert.equal(new Set(made.map((text) => text.slice(36, 52))).size, made.length);
  assert.deepEqual(
    made.map((text) => isSampled(text)),
    made.map((_, index) => index % 2 === 0),
  );
});

test("only what is a trace can be sampled", () => {
  const [trace, span] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  for (const [text, sampled] of [
    [`00-${trace}-${span}-01`, true],
    [`00-${trace}-${span}-03`, true],
    [`00-${trace}-${span}-0f`, true],
    [`00-${trace}-${span}-02`, false],
    [`00-${trace}-${span}-0F`, false],
    [`00-${"0".repeat(32)}-${span}-01`, false],
    ["1", false],
    ["", false],
    [undefined, false],
  ] as const)
    assert.equal(isSampled(text), sampled, String(text));
});
