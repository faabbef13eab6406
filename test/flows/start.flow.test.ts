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
/** Of one core, on any machine: the 3 % of a quiet one are for `npm run bench -- --scenario idle`. */
const MAX_IDLE_SHARE = 0.05;
const WINDOW_MS = 5_000;
/** What a start leaves to do is done by then: code to compile, memory to collect, first looks at what was left. */
const AT_REST_WITHIN_MS = 60_000;

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

/** The share of one core that a tree of processes uses from now on, over a while in which nothing is asked of it. */
async function shareOfCore(pid: number): Promise<number> {
  const [startedAtMs, usedMs] = [performance.now(), cpuMsOf(pid)];
  await pause(WINDOW_MS); // The condition is what happens while nothing happens.
  return (cpuMsOf(pid) - usedMs) / (performance.now() - startedAtMs);
}

test("all processes together stay under 1 GB, and come to rest: under 5 % of a core while nothing is asked", {
  skip: hasProc ? false : "no /proc here",
}, async (t) => {
  const { pid } = platform.readUpFile();
  const shares: number[] = [];
  for (const untilMs = Date.now() + AT_REST_WITHIN_MS; Date.now() < untilMs; ) {
    shares.push(await shareOfCore(pid));
    if (shares.at(-1)! < MAX_IDLE_SHARE) break;
  }
  const bytes = memoryOf(pid);
  const seen = shares.map((share) => `${(share * 100).toFixed(1)} %`).join(", ");
  t.diagnostic(`memory ${Math.round(bytes / 1e6)} MB; of a core, in windows of ${WINDOW_MS / 1_000} s: ${seen}`);
  assert.ok(bytes < MAX_MEMORY_BYTES, `${bytes} bytes`);
  assert.ok(shares.at(-1)! < MAX_IDLE_SHARE, `it did not come to rest within ${AT_REST_WITHIN_MS} ms: ${seen}`);
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
