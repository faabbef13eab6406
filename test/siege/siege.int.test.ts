// An edge, and a gRPC server, under attack: each in a process of its own, without the rest of a platform. Honest
// clients are served throughout, what attackers hold is cut, and memory is as it was afterwards.
// FERRY_SIEGE=long takes the limits as they are in production, more sockets and more time.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createRpcClient, openChannel } from "@ferry/platform/rpc";
import { silentLogger } from "@ferry/platform/telemetry";
import { EchoRequestSchema } from "../../platform/rpc/testing/echo-service.ts";
import {
  type Attack,
  headerFlood,
  idleSockets,
  rapidReset,
  resetFlood,
  slowBody,
  slowHeaders,
  slowRead,
} from "./attacks.ts";
import { type Besieged, startBesieged } from "./besieged.ts";
import { PatientEcho } from "./echo.ts";
import { type Honest, honestOf, type Served, serveHonest } from "./honest.ts";
import type { Holding, TargetOptions } from "./target.ts";

const isLong = process.env.FERRY_SIEGE === "long";
/** Cuts come soon in the short form; in the long one when they do in production. */
const LIMITS = isLong
  ? { requestTimeoutMs: 15_000, answerStallMs: 30_000 }
  : { requestTimeoutMs: 1_000, answerStallMs: 1_000 };
const CALM_MS = isLong ? 5_000 : 1_500;
const FLOOD_MS = isLong ? 30_000 : 2_000;
const SLOW_SOCKETS = isLong ? 1_000 : 200;
const IDLE_SOCKETS = isLong ? 10_000 : 2_000;
const DRIP_MS = isLong ? 1_000 : 100;
const PATIENCE_MS = 120_000;

/**
 * What honest clients may feel, of what they felt before or feel at a twin of the target that nobody attacks: attackers
 * and neighbors use the same processors. A bound in milliseconds stands beside the ratio, as that can be very little.
 */
const P99_RATIO = 5;
const P99_SPARE_MS = 250;
const HEAP_SPARE_BYTES = 12_000_000;
/** The first attack warms up what a process keeps for good: pools, compiled code, the allocator's own. The second must find it enough. */
const RSS_SPARE_BYTES = 40_000_000;

interface Round {
  served: Served;
  /** What clients of the twin felt at the same time. */
  beside: Served;
  holding: Holding;
}

/** Resolves when the target holds no more connections than honest clients have. */
async function untilCut(target: Besieged, atMost: number): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const connections = await target.connections();
    if (connections <= atMost) return;
    assert.ok(Date.now() < deadline, `${connections} connections are still open`);
    await pause(100);
  }
}

/** An attack under way: resolves when it is over, and what it held is let go. */
type Begin = () => Promise<void>;

/** Attacks twice while honest clients ask, and holds what must hold. */
async function endure(t: TestContext, target: Besieged, [ask, askTwin]: [Honest, Honest], begin: Begin): Promise<void> {
  const calmly = () => Promise.all([ask, askTwin].map((one) => serveHonest(one, Promise.resolve(), CALM_MS)));
  await calmly(); // Compiled by now.
  const [calm] = await calmly();
  const before = await target.holding();
  const rounds: Round[] = [];
  for (let round = 0; round < 2; round++) {
    const over = begin();
    const [served, beside] = await Promise.all([ask, askTwin].map((one) => serveHonest(one, over, CALM_MS)));
    rounds.push({ served: served!, beside: beside!, holding: await target.holding() });
  }
  hold(t, { calm: calm!, before, rounds });
}

function hold(t: TestContext, told: { calm: Served; before: Holding; rounds: Round[] }): void {
  const { calm, before, rounds } = told;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  for (const { served, beside } of rounds) {
    const felt = `${ms(served.p99Ms)} under attack, ${ms(calm.p99Ms)} before, ${ms(beside.p99Ms)} beside`;
    t.diagnostic(`p99 ${felt}; ${served.requests} requests, ${served.failures.length} failed`);
    assert.deepEqual(served.failures, []);
    assert.ok(served.p99Ms <= P99_RATIO * Math.max(calm.p99Ms, beside.p99Ms) + P99_SPARE_MS, felt);
  }
  const [first, second] = rounds.map(({ holding }) => holding) as [Holding, Holding];
  t.diagnostic(`heap ${mb(before.heap)}, then ${mb(first.heap)}, ${mb(second.heap)}`);
  t.diagnostic(`rss ${mb(before.rss)}, then ${mb(first.rss)}, ${mb(second.rss)}`);
  assert.ok(second.heap <= before.heap + HEAP_SPARE_BYTES, `${mb(before.heap)}, then ${mb(second.heap)}`);
  assert.ok(second.rss <= first.rss + RSS_SPARE_BYTES, `${mb(first.rss)}, then ${mb(second.rss)}`);
}

async function besiege(
  t: TestContext,
  limits: TargetOptions["limits"],
  attackOf: (target: Besieged) => Attack,
  check: (attack: Attack) => void,
): Promise<void> {
  const options: TargetOptions = { kind: "edge", limits: { ...LIMITS, ...limits } };
  const [target, twin] = await Promise.all([startBesieged(t, options), startBesieged(t, options)]);
  const clients = [target, twin].map((one) => honestOf(one));
  t.after(() => {
    for (const { close } of clients) close();
  });
  await endure(t, target, [clients[0]!.ask, clients[1]!.ask], async () => {
    const attack = attackOf(target);
    await attack.over;
    await untilCut(target, 4);
    check(attack);
    attack.stop();
  });
}

test("slow headers", async (t) => {
  await besiege(
    t,
    {},
    (target) => slowHeaders(target, SLOW_SOCKETS, DRIP_MS),
    ({ opened, cut, statuses }) => {
      assert.deepEqual([opened, cut], [SLOW_SOCKETS, SLOW_SOCKETS]);
      assert.equal(statuses.get(400), SLOW_SOCKETS, "each is told why");
    },
  );
});

test("slow bodies, which must not fill the requests at once", async (t) => {
  await besiege(
    t,
    { maxInFlight: SLOW_SOCKETS + 50 },
    (target) => slowBody(target, SLOW_SOCKETS, DRIP_MS),
    ({ opened, cut }) => assert.deepEqual([opened, cut], [SLOW_SOCKETS, SLOW_SOCKETS]),
  );
});

test("answers that are not read", async (t) => {
  const readers = isLong ? 100 : 8;
  await besiege(
    t,
    { maxInFlight: readers * 8 + 50 },
    (target) => slowRead(target, readers),
    ({ opened }) => assert.equal(opened, readers),
  );
});

test("sockets that say nothing", async (t) => {
  await besiege(
    t,
    {},
    (target) => idleSockets(target, IDLE_SOCKETS),
    ({ opened, cut }) => assert.deepEqual([opened, cut], [IDLE_SOCKETS, IDLE_SOCKETS]),
  );
});

test("more sockets than are allowed, of one address and in all", async (t) => {
  await besiege(
    t,
    { maxConnectionsEach: 50 },
    (target) => idleSockets(target, 500),
    ({ opened, cut }) => assert.deepEqual([opened, cut], [500, 500]),
  );
});

test("connections that are reset, after a request or before", async (t) => {
  await besiege(
    t,
    {},
    (target) => resetFlood(target, 16, FLOOD_MS),
    ({ opened }) => assert.ok(opened > 100, `${opened}`),
  );
});

test("headers without an end", async (t) => {
  await besiege(
    t,
    {},
    (target) => headerFlood(target, 8, FLOOD_MS),
    ({ opened, cut }) => {
      assert.ok(opened > 20, `${opened}`);
      assert.equal(cut, opened);
    },
  );
});

/** A client of a gRPC server that asks for an echo of the status that HTTP would have. */
function echoing(t: TestContext, { port }: Besieged): Honest {
  const channel = openChannel({ url: `http://127.0.0.1:${port}`, audience: "echo", logger: silentLogger });
  t.after(() => channel.close());
  const client = createRpcClient(PatientEcho, channel);
  return async () => (await client.echo(create(EchoRequestSchema, { text: "200" }))).text;
}

test("rapid reset of a gRPC server", async (t) => {
  const [target, twin] = await Promise.all([1, 2].map(() => startBesieged(t, { kind: "rpc" })));
  await endure(t, target!, [echoing(t, target!), echoing(t, twin!)], async () => {
    const { streams, cut } = await rapidReset(target!.port, "/ferry.test.v1.EchoService/Echo", FLOOD_MS);
    t.diagnostic(`${streams} streams reset, ${cut} connections cut`);
    assert.ok(streams > 1_000 && cut > 0, `${streams} streams, ${cut} cut`);
  });
});
