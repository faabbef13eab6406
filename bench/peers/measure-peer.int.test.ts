import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hasProc } from "../../test/support/processes.ts";
import { PEERS, type Peer } from "./catalogue.ts";
import { measurePeer } from "./measure-peer.ts";
import type { PeerResult } from "./result.ts";
import { runPeers } from "./run-peers.ts";

const folder = mkdtempSync(join(tmpdir(), "ferry-measure-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const log = () => {};
const options = {
  sources: folder,
  installed: join(folder, "installed"),
  warmUpSeconds: 0,
  seconds: 0.2,
  signal: new AbortController().signal,
  log,
};

function makePeer(name: string, program: string): Peer {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "program.mjs"), program);
  return { name, note: "a trial", program: `${name}/program.mjs`, packages: false };
}

/** Measures a peer, for longer where the machine was too busy with other tests for a single transfer. */
async function measured(peer: Peer, sources = folder): Promise<PeerResult> {
  for (const seconds of [0.5, 5]) {
    const result = await measurePeer(peer, { ...options, sources, seconds });
    if (!("unavailable" in result && result.unavailable.startsWith("It completed no transfer"))) return result;
  }
  return measurePeer(peer, { ...options, sources, seconds: 10 });
}

const withProc = { skip: hasProc ? false : "needs /proc" };

test("the floor is measured, and its books hold", withProc, async () => {
  const floor = PEERS.find(({ name }) => name === "floor")!;
  const result = await measured(floor, import.meta.dirname);
  assert.ok("booksOk" in result, JSON.stringify(result));
  assert.equal(result.booksOk, true);
  assert.ok(result.transfersPerSecond > 0 && result.p99Ms >= result.p50Ms);
});

test("a peer that loses a step is measured, and its books do not hold", withProc, async () => {
  const loses = `export const start = async ({ steps }) => ({
    async carryOut([transfer]) { await steps.reserve(transfer); },
    async stop() {},
  });`;
  const result = await measured(makePeer("loses", loses));
  assert.ok("booksOk" in result, JSON.stringify(result));
  assert.equal(result.booksOk, false);
});

test("a peer whose program fails is left out with the error", withProc, async () => {
  const result = await measurePeer(makePeer("breaks", 'throw new Error("no such luck");'), options);
  assert.match("unavailable" in result ? result.unavailable : "", /Its program ended \(code 1\): .*no such luck/);
});

test("a peer that cannot be installed is left out with the reason", withProc, async () => {
  const peer = { ...makePeer("not-to-be-had", ""), packages: true };
  writeFileSync(join(folder, peer.name, "package.json"), "{");
  writeFileSync(join(folder, peer.name, "package-lock.json"), "{}");
  const result = await measurePeer(peer, options);
  assert.match("unavailable" in result ? result.unavailable : "", /^npm ci failed/);
});

test("a peer whose server does not start is left out with the reason", withProc, async () => {
  const startEngine = () => Promise.reject(new Error("There is no server for this system"));
  const result = await measurePeer({ ...makePeer("serverless", ""), startEngine }, options);
  assert.deepEqual(result, { peer: "serverless", note: "a trial", unavailable: "There is no server for this system" });
});

test("an abort rejects with its reason", withProc, async () => {
  const signal = AbortSignal.abort(new Error("SIGINT"));
  await assert.rejects(runPeers({ seconds: 1, only: ["floor"], log, signal }), /^Error: SIGINT$/);
});

test("a name that no peer has is refused", async () => {
  await assert.rejects(runPeers({ seconds: 1, only: ["cadence"], log }), /no peer "cadence"/);
});
