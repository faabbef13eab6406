// F19, F20, F23 and F27 between two services: a slow way, no way in one direction or in both, a peer that sends its
// callers away, and two replicas that restart in turn.
import assert from "node:assert/strict";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { type TestContext, test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { createRpcClient, createRpcServer, openChannel, type RpcServerOptions } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { EchoService } from "../../platform/rpc/testing/echo-service.ts";
import { authenticator, build, serveEcho } from "../../platform/rpc/testing/harness.ts";
import { PatientEcho } from "../siege/echo.ts";
import { findOffset, waitFor } from "../support/platform.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const FULL = process.env.FERRY_FAULTS_FULL !== undefined;
const CALLERS = 64;
/** What other tests on the machine may add to a percentile; to wait for what is slow or away would add more. */
const NOISE_MS = 200;
/** Enough that a machine that stands still twice, for four callers at once, does not make a hundredth of them. */
const ENOUGH_CALLS = 1_000;
/** How often 20 calls are made of what is slow, at most: each second there are some hundreds beside them. */
const MOST_ROUNDS = 10;
/** Beyond any pause of the machine. */
const PATIENCE_MS = 30_000;

async function through(context: TestContext, port: number) {
  const proxy = await TcpProxy.start({ port });
  context.after(() => proxy.close());
  return proxy;
}

function clientTo(context: TestContext, address: string, contract = EchoService) {
  const channel = openChannel({ url: `http://${address}`, audience: "echo", logger });
  context.after(() => channel.close());
  return createRpcClient(contract, channel);
}

/** An echo that has time, and is not repeated. */
const patiently = (echo: (request: { text: string }) => object): Pick<RpcServerOptions, "routes"> => ({
  routes: (router) => void router.service(PatientEcho, { echo } as never),
});

const quantileOf = (all: readonly number[], share: number) =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length * share)] ?? 0;

/** Calls from so many callers at once, one after another, until it is told to stop. */
function startCalls(call: () => Promise<unknown>, callers = CALLERS) {
  const tookMs: number[] = [];
  const failures: string[] = [];
  let stopping = false;
  const all = Array.from({ length: callers }, async () => {
    while (!stopping) {
      const startedAt = performance.now();
      await call().catch((error: unknown) => failures.push(error instanceof FerryError ? error.reason : String(error)));
      tookMs.push(performance.now() - startedAt);
    }
  });
  return {
    tookMs,
    failures,
    async stop() {
      stopping = true;
      await Promise.all(all);
    },
  };
}

test("F19 a dependency that is 2 s slow: calls end at their deadline, are hardly repeated, and others do not wait", async (context) => {
  let tries = 0;
  const slow = await serveEcho(
    context,
    {},
    patiently(({ text }) => {
      if (text === "slow") tries++;
      return {};
    }),
  );
  const other = await serveEcho(
    context,
    {},
    patiently(() => ({})),
  );
  const proxy = await through(context, slow.port);
  // One for each round: after its calls the slow one is left alone for a while.
  const slowClients = Array.from({ length: MOST_ROUNDS }, () => clientTo(context, `127.0.0.1:${proxy.port}`));
  const lastClient = clientTo(context, `127.0.0.1:${proxy.port}`, PatientEcho);
  const otherClient = clientTo(context, `127.0.0.1:${other.port}`, PatientEcho);
  const endOf = (call: Promise<unknown>) =>
    call.then(
      () => "OK",
      (error: FerryError) => error.reason,
    );
  for (const client of slowClients)
    await waitFor("a first answer", async () => (await endOf(client.echo({}))) === "OK");
  await lastClient.echo({});
  await otherClient.echo({});
  const before = startCalls(() => otherClient.echo({}), 4);
  await waitFor("a baseline", () => before.tookMs.length > 2_000);
  await before.stop();
  proxy.latencyMs = 2_000;
  const beside = startCalls(() => otherClient.echo({}), 4);
  const reasons = new Set<string>();
  const tookMs: number[] = [];
  let calls = 0;
  // More than one round: the machine may stand still for as long as it takes.
  for (const client of slowClients) {
    if (tookMs.length > 1 && beside.tookMs.length > ENOUGH_CALLS) break;
    const startedAt = performance.now();
    const all = Array.from({ length: 20 }, () => endOf(client.echo({ text: "slow" })));
    for (const reason of await Promise.all(all)) reasons.add(reason);
    tookMs.push(performance.now() - startedAt);
    calls += all.length;
  }
  await beside.stop();
  assert.ok(beside.tookMs.length > ENOUGH_CALLS, `${beside.tookMs.length} calls beside the slow ones`);
  assert.deepEqual([...reasons], ["DEADLINE_EXCEEDED"]);
  const quickestMs = Math.min(...tookMs);
  assert.ok(quickestMs < 3_000, `${quickestMs} ms: not by the deadline of 1,000, where answers would come after 4,000`);
  await lastClient.echo({}); // What was sent before has arrived, unless it was called back on its way.
  assert.ok(tries <= calls * 1.1, `${tries} tries of ${calls} calls`);
  const [usual, now] = [quantileOf(before.tookMs, 0.99), quantileOf(beside.tookMs, 0.99)];
  assert.deepEqual(beside.failures, []);
  assert.ok(now <= Math.max(2 * usual, usual + NOISE_MS), `${now} ms beside the slow one, ${usual} ms before`);
});

for (const directions of [["up"], ["down"], ["up", "down"]] as const)
  test(`F20 no way ${directions.join(" and ")} between two services: nothing is done twice, and all is well when it is open again`, async (context) => {
    const done = new Map<string, number>();
    const { port } = await serveEcho(context, {
      once({ text }) {
        done.set(text, (done.get(text) ?? 0) + 1);
        return { text };
      },
    });
    const proxy = await through(context, port);
    const client = clientTo(context, `127.0.0.1:${proxy.port}`);
    const known = new Set<string>();
    let sent = 0;
    const calls = startCalls(async () => {
      const text = String(sent++);
      await client.once({ text });
      known.add(text);
    }, 16);
    await waitFor("calls to go through", () => known.size > 100);
    proxy.darken(...directions);
    const until = Date.now() + (FULL ? 60_000 : 2_500);
    await waitFor("calls to fail", () => calls.failures.length > 16 && Date.now() > until, 90_000);
    proxy.lighten();
    const before = known.size;
    await waitFor("calls to go through again", () => known.size > before + 100, 30_000);
    await calls.stop();
    assert.ok(proxy.counts.held > 0, "the fault did not bite");
    assert.deepEqual(
      [...done].filter(([, times]) => times > 1),
      [],
      "done twice",
    );
    assert.deepEqual(
      [...known].filter((text) => !done.has(text)),
      [],
      "said to be done, and not",
    );
  });

test("F23 a server that ends each connection after a while: no call fails, also of those that must not be repeated", async (context) => {
  const maxConnectionAgeMs = FULL ? 5_000 : 250;
  let served = 0;
  const { port } = await serveEcho(
    context,
    {},
    {
      ...patiently(() => {
        served++;
        return {};
      }),
      limits: { maxConnectionAgeMs, maxConnectionAgeGraceMs: PATIENCE_MS, drainTimeoutMs: 500 },
    },
  );
  const proxy = await through(context, port);
  const client = clientTo(context, `127.0.0.1:${proxy.port}`, PatientEcho);
  const calls = startCalls(() => client.echo({}));
  await waitFor("connections to be ended", () => proxy.counts.connections >= 8, 120_000);
  await calls.stop();
  assert.deepEqual(calls.failures, []);
  assert.equal(served, calls.tookMs.length, "each was done once");
});

test("F27 two replicas that restart in turn, ten times, under load: no call fails, and none is done twice", {
  skip: process.platform !== "linux", // Elsewhere there is one address on loopback.
}, async (context) => {
  const done = new Map<string, number>();
  const options: Omit<RpcServerOptions, "port"> = {
    ...{ service: "echo", authenticator, logger, build, limits: { drainTimeoutMs: PATIENCE_MS } },
    ...patiently(({ text }) => {
      done.set(text, (done.get(text) ?? 0) + 1);
      return { text };
    }),
  };
  const { lookup } = dns;
  dns.lookup = (async () => [
    { address: "127.0.0.1", family: 4 },
    { address: "127.0.0.2", family: 4 },
  ]) as unknown as typeof dns.lookup;
  syncBuiltinESMExports();
  context.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
  // Not one of those that the system hands out by itself: while a replica is away, nobody else takes it.
  const port = 9101 + (await findOffset());
  const start = async (host: string) => {
    const server = createRpcServer({ ...options, host, port });
    await server.start();
    return server;
  };
  const replicas = [await start("127.0.0.1"), await start("127.0.0.2")];
  context.after(() => Promise.all(replicas.map((replica) => replica.stop())));
  const client = clientTo(context, `replicas.example:${port}`, PatientEcho);
  let sent = 0;
  const call = () => client.echo({ text: String(sent++) });
  const before = startCalls(call);
  await waitFor("a baseline", () => before.tookMs.length > 5_000);
  await before.stop();
  const rolling = startCalls(call);
  for (let round = 0; round < 10; round++)
    for (const [index, host] of ["127.0.0.1", "127.0.0.2"].entries()) {
      await replicas[index]!.stop();
      replicas[index] = await start(host);
      const count = rolling.tookMs.length;
      await waitFor("calls to go on", () => rolling.tookMs.length > count + 500);
    }
  await rolling.stop();
  assert.deepEqual(rolling.failures, []);
  assert.deepEqual(
    [...done].filter(([, times]) => times !== 1),
    [],
  );
  // Who waited for a replica that is away, at each restart, would be an eighth of all; a machine that stands still
  // twice makes more than a hundredth.
  const [usual, now] = [quantileOf(before.tookMs, 0.95), quantileOf(rolling.tookMs, 0.95)];
  context.diagnostic(
    `${rolling.tookMs.length} calls; p95 ${now.toFixed(1)} ms, ${usual.toFixed(1)} ms without restarts`,
  );
  assert.ok(now <= Math.max(2 * usual, usual + NOISE_MS), `p95 of ${now} ms, ${usual} ms before`);
});
