import assert from "node:assert/strict";
import { test } from "node:test";
import { MUTATIONS } from "../prove/mutations/list.ts";
import { keepalivePatch } from "./detours/detours.ts";
import { LAUNCHER_PATCHES, SERVICE_PATCHES } from "./failpoints/hook.ts";
import { applyPatches, expectPatchesFit, patched } from "./patches.ts";

const patch = { module: "x.ts", find: "one", replace: "$& two" };

test("a patch replaces what is there once, as it is written", () => {
  assert.equal(patched("a one b", { ...patch, append: "end" }), "a $& two b\nend");
});

test("a patch that finds nothing, or too much, is refused: it would prove nothing", () => {
  assert.throws(() => patched("a b", patch), /x\.ts has "one" 0 times/);
  assert.throws(() => patched("one one", patch), /2 times/);
});

test("a patched module is loaded as it was patched, types and all", async () => {
  const module = "test/support/until.ts";
  const append = 'export const patchedBy: string = "a test";';
  const applied: string[] = [];
  applyPatches([{ module, find: "LOOK_EVERY_MS = 5;", replace: "LOOK_EVERY_MS: number = 5;", append }], (name) =>
    applied.push(name),
  );
  const loaded: object = await import("./until.ts");
  assert.equal((loaded as { patchedBy?: string }).patchedBy, "a test");
  assert.deepEqual(applied, [module]);
});

test("every failpoint, detour and mutation still fits its module", () => {
  const keepalive = keepalivePatch({ everyMs: 1, timeoutMs: 1 });
  expectPatchesFit([...SERVICE_PATCHES, ...LAUNCHER_PATCHES, keepalive, ...MUTATIONS.map(({ patch: own }) => own)]);
});
