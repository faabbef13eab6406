import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { APIS } from "./apis/table.ts";

test("the README's table names every API with the versions that are offered, and no other", () => {
  const readme = fs.readFileSync(path.join(import.meta.dirname, "README.md"), "utf8");
  const section = readme.split("## What it speaks")[1]!.split("\n## ")[0]!;
  const documented = new Map<string, string>();
  for (const row of section.split("\n").filter((line) => line.startsWith("|"))) {
    const cells = row.split("|").map((cell) => cell.trim());
    for (const at of [1, 3]) {
      for (const name of cells[at]!.split(", ")) documented.set(name, cells[at + 1]!.split(";")[0]!);
    }
  }
  for (const heading of ["API", ...[...documented.keys()].filter((name) => /^-+$/.test(name))])
    documented.delete(heading);
  const offered = APIS.map(({ name, key, minVersion, maxVersion }) => {
    return [`${name} ${key}`, minVersion === maxVersion ? `${minVersion}` : `${minVersion} to ${maxVersion}`];
  });
  assert.deepEqual([...documented].sort(), offered.sort());
});
