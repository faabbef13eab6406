import assert from "node:assert/strict";
import { test } from "node:test";
import { Abort } from "./abort.ts";

test("tells its listeners once, and those that left not at all", () => {
  const abort = new Abort();
  const told: string[] = [];
  const leaving = () => told.push("left");
  abort.addEventListener("abort", () => told.push("stayed"));
  abort.addEventListener("abort", leaving);
  abort.removeEventListener("abort", leaving);
  assert.equal(abort.aborted, false);
  abort.abort("first");
  abort.abort("second");
  assert.deepEqual([told, abort.aborted, abort.reason], [["stayed"], true, "first"]);
});

test("its signal is aborted with it, whether it was asked for before or after", () => {
  const [before, after] = [new Abort(), new Abort()];
  const early = before.signal;
  let told = 0;
  early.addEventListener("abort", () => told++);
  for (const abort of [before, after]) abort.abort("gone");
  assert.deepEqual([early.aborted, early.reason, told], [true, "gone", 1]);
  assert.deepEqual([after.signal.aborted, after.signal.reason, after.signal], [true, "gone", after.signal]);
});
