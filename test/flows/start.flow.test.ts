// `npm start` as a new user meets it: the first transfer shown hop by hop, up.json, memory, idle
// processor time, an ordered stop, a second start on the same data.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { EdgeCaller } from "../support/client.ts";
import { Platform, waitFor } from "../support/platform.ts";
import { cpuMsOf, hasProc, isBatch, memoryOf, treeOf, wakeUpsOf } from "../support/processes.ts";

const MAX_MEMORY_BYTES = 1_000_000_000;
/**
 * What decides how much an idle platform uses, and does not depend on the machine: what one wake-up costs, with cold
 * caches, does, by a factor of ten. 43 to 115 were measured, with nothing beside it and under load; connections
 * that look ten times a second, three in each process, would add 250. The 3 % of a core are for
 * `npm run bench -- --scenario idle` on a quiet machine.
 */
const MAX_WAKE_UPS_PER_SECOND = 180;
/** Of one core: what never sleeps is never woken up. */
const MAX_IDLE_SHARE = 0.9;
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
  assert.equal((await edge.insist("GET", "/readyz")).status, 200);
  // Who did not tell within a second, as where the machine stood still, is asked again.
  const body = await waitFor("everybody's version", async () => {
    const { body } = await edge.call("GET", "/version");
    return Object.values<Record<string, string>>(body.services).some(({ error }) => error !== undefined)
      ? undefined
      : body;
  });
  assert.equal(body.version, "0.1.0");
  assert.deepEqual(Object.keys(body.services).sort(), ["banking", "ledger", "member", "notify", "payment", "transfer"]);
  for (const service of Object.values<Record<string, string>>(body.services)) assert.equal(service.commit, body.commit);
  const jwks = await edge.call("GET", "/.well-known/jwks.json");
  assert.equal(jwks.body.keys[0].alg, "ES256");
});

const canSchedule = hasProc && spawnSync("chrt", ["-p", String(process.pid)]).status === 0;

test("all that is started is scheduled as a batch, PostgreSQL too", {
  skip: canSchedule ? false : "no chrt here",
}, () => {
  const processes = treeOf(platform.readUpFile().pid);
  assert.ok(processes.length > platform.readUpFile().processes.length);
  assert.deepEqual(
    processes.filter(({ pid }) => isBatch(pid) === false),
    [],
  );
});

interface Rest {
  bytes: number;
  wakeUpsPerSecond: number;
  /** Of one core. */
  share: number;
}

/** What a tree of processes does from now on, over a while in which nothing is asked of it. */
async function watchRest(pid: number): Promise<Rest> {
  const [startedAtMs, usedMs, wakeUps] = [performance.now(), cpuMsOf(pid), wakeUpsOf(pid)];
  await pause(WINDOW_MS); // The condition is what happens while nothing happens.
  const tookMs = performance.now() - startedAtMs;
  const wakeUpsPerSecond = ((wakeUpsOf(pid) - wakeUps) * 1_000) / tookMs;
  return { bytes: memoryOf(pid), wakeUpsPerSecond, share: (cpuMsOf(pid) - usedMs) / tookMs };
}

const isAtRest = ({ bytes, wakeUpsPerSecond, share }: Rest): boolean =>
  bytes < MAX_MEMORY_BYTES && wakeUpsPerSecond < MAX_WAKE_UPS_PER_SECOND && share < MAX_IDLE_SHARE;

test("all processes together stay under 1 GB, and come to rest: hardly anything wakes up while nothing is asked", {
  skip: hasProc ? false : "no /proc here",
}, async (t) => {
  const { pid } = platform.readUpFile();
  const windows: Rest[] = [];
  for (const untilMs = Date.now() + AT_REST_WITHIN_MS; Date.now() < untilMs; ) {
    windows.push(await watchRest(pid));
    if (isAtRest(windows.at(-1)!)) break;
  }
  const seen = windows.map(
    ({ bytes, wakeUpsPerSecond, share }) =>
      `${Math.round(bytes / 1e6)} MB, ${wakeUpsPerSecond.toFixed(0)}/s and ${(share * 100).toFixed(1)} %`,
  );
  t.diagnostic(`memory, wake-ups and share of a core: ${seen.join("; ")}`);
  assert.ok(isAtRest(windows.at(-1)!), `it did not come to rest within ${AT_REST_WITHIN_MS} ms: ${seen.join("; ")}`);
});

test("Ctrl-C stops all in order, and a second start goes on with the same data", async (t) => {
  const stopMs = await platform.interrupt();
  await waitFor("its last word to be read", () => platform.output.some((line) => /Stopped\./.test(line)));
  assert.equal(existsSync(join(platform.dataDirectory, "up.json")), false);
  await platform.startAgain();
  const { readyMs, firstTransferMs } = platform.readUpFile();
  t.diagnostic(
    `stopped in ${stopMs} ms; second start: ready in ${readyMs} ms, first transfer settled after ${firstTransferMs} ms`,
  );
  assert.ok(stopMs < 10_000, `${stopMs} ms`);
  assert.match(platform.output.join("\n"), /COMPLETED in \d+ ms/);
});
