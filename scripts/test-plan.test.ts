import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { ALONE, LONG, planOf } from "./test-plan.ts";

const ROOT = resolve(import.meta.dirname, "..");
const here = (...names: string[]) => names.map((name) => join(ROOT, name));

test("what is named is there, and once", () => {
  for (const name of [...ALONE, ...LONG]) assert.ok(existsSync(join(ROOT, name)), name);
  assert.equal(new Set([...ALONE, ...LONG]).size, ALONE.length + LONG.length);
});

test("unit tests come before int tests, the longest of each first, and flows after them", () => {
  const [first = "", second = ""] = LONG;
  const files = here("a.int.test.ts", second, "b.test.ts", first, "c.flow.test.ts");
  const groups = planOf(files, ROOT, 2);
  assert.deepEqual(
    groups.map((group) => [group.files, group.atOnce]),
    [
      [here("b.test.ts", first, second, "a.int.test.ts"), 3],
      [here("c.flow.test.ts"), 2],
    ],
  );
});

test("what needs the machine to itself has it, and no file is lost", () => {
  const files = here(...ALONE, "a.flow.test.ts", "b.int.test.ts", "c.test.ts");
  const groups = planOf(files, ROOT, 64);
  const alone = groups.find(({ name }) => name === "flows alone");
  assert.deepEqual([alone?.files, alone?.atOnce], [here(...ALONE), 1]);
  assert.deepEqual(groups.flatMap((group) => group.files).sort(), files.sort());
  assert.ok(groups.every(({ atOnce }) => atOnce <= 6));
});

test("on one processor platforms do not run side by side", () => {
  const [int, flow] = planOf(here("a.int.test.ts", "b.flow.test.ts"), ROOT, 1);
  assert.deepEqual([int?.atOnce, flow?.atOnce], [2, 1]);
});
