// `npm start` as a new user meets it: the first transfer shown hop by hop, up.json, memory, idle
// processor time, an ordered stop, a second start on the same data.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { EdgeCaller } from "../support/client.ts";
import { Platform } from "../support/platform.ts";
import { cpuMsOf, hasProc, memoryOf } from "../support/processes.ts";

const MAX_MEMORY_BYTES = 1_000_000_000;
const MAX_IDLE_SHARE = 0.05;
const IDLE_WINDOW_MS = 6_000;

let platform: Platform;
before(async () => {
  platform = await Platform.start({ firstTransfer: true });
});
after(() => platform.stop());

test("the first transfer is settled, and its way is shown: REST, gRPC, Kafka, bank, steps, times", () => {
  const shown = platform.output.join("\n");
  for (const part of [
    /COMPLETED in \d+ ms/,
    /REST .*POST \/v1\/transfers/,
    /gRPC .*CreateTransfer/,
    /Kafka .*VerifyAccountRequest/,
    /bank /,
    /settle +done/,
  ])
    assert.match(shown, part);
  assert.match(shown, /curl -s http:\/\/127\.0\.0\.1:\d+\/v1\/accounts/);
  assert.match(shown, /grpcurl -plaintext/);
});

test("up.json tells what is up", () => {
  const up = platform.readUpFile() as unknown as Record<string, unknown> & { processes: Record<string, unknown>[] };
  for (const field of ["pid", "edge", "startedAt", "readyMs", "firstTransferMs", "version", "commit"])
    assert.ok(up[field], field);
  assert.deepEqual(up.processes.map(({ name }) => name).sort(), [
    "bank",
    "banking",
    "broker",
    "edge",
    "ledger",
    "member",
    "notify",
    "payment",
    "postgres",
    "transfer",
  ]);
  for (const process of up.processes)
    for (const field of ["pid", "address"]) assert.ok(process[field], `${process.name} ${field}`);
});

test("the edge tells its health, its version and everybody's", async () => {
  const edge = new EdgeCaller(platform.edge);
  assert.equal((await edge.call("GET", "/livez")).status, 200);
  assert.equal((await edge.call("GET", "/readyz")).status, 200);
  const { body } = await edge.call("GET", "/version");
  assert.equal(body.version, "0.1.0");
  assert.deepEqual(Object.keys(body.services).sort(), ["banking", "ledger", "member", "notify", "payment", "transfer"]);
  for (const service of Object.values<Record<string, string>>(body.services)) assert.equal(service.commit, body.commit);
  const jwks = await edge.call("GET", "/.well-known/jwks.json");
  assert.equal(jwks.body.keys[0].alg, "ES256");
});

test("all processes together stay under 1 GB, and under 5 % of a core when idle", {
  skip: hasProc ? false : "no /proc here",
}, async (t) => {
  const { pid } = platform.readUpFile();
  const before = cpuMsOf(pid);
  await pause(IDLE_WINDOW_MS); // The condition is what happens while nothing happens.
  const share = (cpuMsOf(pid) - before) / IDLE_WINDOW_MS;
  const bytes = memoryOf(pid);
  t.diagnostic(`memory ${Math.round(bytes / 1e6)} MB, idle ${(share * 100).toFixed(1)} % of a core`);
  assert.ok(bytes < MAX_MEMORY_BYTES, `${bytes} bytes`);
  assert.ok(share < MAX_IDLE_SHARE, `${share} of a core`);
});

test("Ctrl-C stops all in order, and a second start goes on with the same data", async (t) => {
  const stopMs = await platform.interrupt();
  assert.match(platform.output.join("\n"), /Stopped\./);
  assert.equal(existsSync(join(platform.dataDirectory, "up.json")), false);
  await platform.startAgain();
  const { readyMs, firstTransferMs } = platform.readUpFile();
  t.diagnostic(
    `stopped in ${stopMs} ms; second start: ready in ${readyMs} ms, first transfer settled after ${firstTransferMs} ms`,
  );
  assert.ok(stopMs < 10_000, `${stopMs} ms`);
  assert.match(platform.output.join("\n"), /COMPLETED in \d+ ms/);
});
