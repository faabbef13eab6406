import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { installGo, installPackages, installWheel } from "./install.ts";

const folder = mkdtempSync(join(tmpdir(), "ferry-install-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A peer's folder whose lockfile names nothing, so that nothing is fetched. */
function makePeer(name: string) {
  const source = join(folder, name);
  mkdirSync(source);
  writeFileSync(join(source, "package.json"), JSON.stringify({ name, private: true }));
  const packages = { "": { name } };
  writeFileSync(join(source, "package-lock.json"), JSON.stringify({ name, lockfileVersion: 3, packages }));
  writeFileSync(join(source, "program.mjs"), "export const start = 1;");
  writeFileSync(join(source, "engine.ts"), "");
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  return { source, target: join(folder, `${name}-installed`), signal: new AbortController().signal, log, lines };
}

test("packages are installed once, and the programs are put beside them each time", async () => {
  const peer = makePeer("whole");
  await installPackages(peer);
  assert.equal(readFileSync(join(peer.target, "program.mjs"), "utf8"), "export const start = 1;");
  assert.ok(!existsSync(join(peer.target, "engine.ts")));
  writeFileSync(join(peer.source, "program.mjs"), "export const start = 2;");
  await installPackages(peer, "no-such-npm");
  assert.equal(readFileSync(join(peer.target, "program.mjs"), "utf8"), "export const start = 2;");
  assert.equal(peer.lines.length, 1);
});

test("another lockfile is installed anew", async () => {
  const peer = makePeer("changed");
  await installPackages(peer);
  const lockfile = join(peer.source, "package-lock.json");
  writeFileSync(lockfile, `${readFileSync(lockfile, "utf8")}\n`);
  await assert.rejects(installPackages(peer, "no-such-npm"), /npm ci failed/);
});

test("without npm, the reason names it", async () => {
  await assert.rejects(installPackages(makePeer("without-npm"), "no-such-npm"), /^Error: npm ci failed .*no-such-npm/);
});

test("what npm refuses is the reason, and is tried again the next time", async () => {
  const peer = makePeer("no-json");
  writeFileSync(join(peer.source, "package.json"), "{");
  await assert.rejects(installPackages(peer), /npm ci failed \(code 1\): .*JSON/);
  await assert.rejects(installPackages(peer), /npm ci failed/);
});

test("without Python, the reason names it", async () => {
  const peer = makePeer("without-python");
  writeFileSync(join(peer.source, "requirements.txt"), "");
  await assert.rejects(installWheel(peer, "no-such-python"), /^Error: pip install failed .*no-such-python/);
});

test("without Go, the reason names it", async () => {
  await assert.rejects(installGo(makePeer("without-go"), "no-such-go"), /^Error: go build failed .*no-such-go/);
});
