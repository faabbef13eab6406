import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { PEERS, selectPeers } from "./catalogue.ts";

const folders = [...new Set(PEERS.filter(({ packages }) => packages).map(({ program }) => dirname(program)))];

function readJson(folder: string, file: string) {
  return JSON.parse(readFileSync(join(import.meta.dirname, folder, file), "utf8"));
}

test("peers are selected by name, in the catalogue's order", () => {
  assert.deepEqual(
    selectPeers(["restate", "floor"]).map(({ name }) => name),
    ["floor", "restate"],
  );
  assert.equal(selectPeers(), PEERS);
  assert.throws(() => selectPeers(["cadence"]), /no peer "cadence"; there are floor, floor-sets, dbos/);
});

test("every peer has a name of its own, a note, and its program", () => {
  assert.equal(new Set(PEERS.map(({ name }) => name)).size, PEERS.length);
  for (const { note, program } of PEERS) {
    assert.ok(note.length > 20, note);
    assert.ok(existsSync(join(import.meta.dirname, program)), program);
  }
});

for (const folder of folders) {
  test(`the packages of ${folder} are named by exact version`, () => {
    const { dependencies } = readJson(folder, "package.json") as { dependencies: Record<string, string> };
    for (const [name, version] of Object.entries(dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, name);
    const locked = readJson(folder, "package-lock.json").packages[""];
    assert.deepEqual(locked.dependencies, dependencies);
  });

  test(`the lockfile of ${folder} holds every platform's packages by hash, and no registry's address`, () => {
    const { packages } = readJson(folder, "package-lock.json") as {
      packages: Record<
        string,
        { resolved?: string; integrity?: string; optionalDependencies?: Record<string, string> }
      >;
    };
    for (const [path, { resolved, integrity, optionalDependencies }] of Object.entries(packages)) {
      if (path === "") continue;
      assert.equal(resolved, undefined, path);
      assert.match(integrity ?? "", /^sha512-/, path);
      // Without them npm ci refuses the lockfile on another platform than the one that wrote it, and here.
      for (const name of Object.keys(optionalDependencies ?? {})) assert.ok(packages[`node_modules/${name}`], name);
    }
  });
}
