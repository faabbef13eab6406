// Two edges in one process, on a real PostgreSQL: what they allow together, and what they do without it.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openDatabase } from "@ferry/platform/db";
import { readMetrics } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";
import { until } from "../../test/support/until.ts";
import type { EdgeLimits } from "../config.ts";
import { createHarness } from "../testing/harness.ts";
import { createLeaseStore } from "./store/lease-store.ts";

const ATTEMPTS = 3;
const MEMBERS = ["0190b2c4-0000-7000-8000-000000000001", "0190b2c4-0000-7000-8000-000000000002"];

async function twoEdges(t: TestContext, limits: Partial<EdgeLimits>, through = (url: string) => url) {
  const { url, drop } = await createTestDatabase();
  const rateStoreUrl = through(url);
  const edges = await Promise.all([1, 2].map(() => createHarness({ limits, options: { rateStoreUrl } })));
  for (const { components } of edges) await components[0]!.start?.();
  const database = openDatabase({ url, ...PATIENT });
  const running = new Set(edges);
  const stop = async (edge: (typeof edges)[number]) => {
    if (running.delete(edge)) await edge.components[0]!.stop?.();
  };
  t.after(async () => {
    for (const edge of edges) await stop(edge);
    await database.close();
    await drop();
  });
  const read = async (edge: number, member = 0) => {
    const { app, bearer } = edges[edge]!;
    return app.inject({ url: "/v1/transfers", headers: { authorization: bearer("member", MEMBERS[member]) } });
  };
  return { edges, database, read, stop };
}

const LOST = /ferry_edge_rate_leases_total\{outcome="failed"\} (\d+)/g;
const lostLeases = async () =>
  [...(await readMetrics()).matchAll(LOST)].reduce((sum, [, lost]) => sum + Number(lost), 0);

/**
 * Proves something of two edges whose store answers. Where the machine pauses for longer than they wait for it, they
 * count by themselves, as they should: then it is proved of two others.
 */
async function withStore(
  t: TestContext,
  limits: Partial<EdgeLimits>,
  proof: (edges: Awaited<ReturnType<typeof twoEdges>>) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const lostBefore = await lostLeases();
    const edges = await twoEdges(t, limits);
    try {
      return await proof(edges);
    } catch (error) {
      if (attempt === ATTEMPTS || (await lostLeases()) === lostBefore) throw error;
    }
  }
}

const allowedOf = (answers: { statusCode: number }[]) => answers.filter(({ statusCode }) => statusCode === 200).length;

test("two edges allow the limit together, but for what a lease holds", (t) =>
  withStore(t, { rateRead: 200 }, async ({ database, read }) => {
    const answers = await Promise.all(Array.from({ length: 400 }, (_, index) => read(index % 2)));
    const allowed = allowedOf(answers);
    assert.ok(allowed <= 200 && allowed >= 190, `${allowed}`);
    const refused = answers.find(({ statusCode }) => statusCode === 429)!;
    assert.match(String(refused.headers.ratelimit), /^"read";r=0;t=([1-9]|[1-5][0-9]|60)$/);

    // Another member has a budget of its own, and one by one it is exact.
    const others = [];
    for (let index = 0; index < 60; index++) others.push(await read(index % 2, 1));
    assert.equal(allowedOf(others), 60);
    const last = Number(/r=(\d+)/.exec(String(others.at(-1)!.headers.ratelimit))?.[1]);
    assert.ok(last >= 130 && last <= 150, `${last} left`);
    const [{ spent } = { spent: 0 }] = await database.query<{ spent: number }>(
      "SELECT spent FROM rate_budget WHERE key LIKE '%' || $1",
      [MEMBERS[1]],
    );
    assert.ok(spent >= 60 && spent <= 80, `${spent}`);
  }));

test("a small limit is exact, and leases are few for a large one", (t) =>
  withStore(t, { rateLogin: 10, rateAddress: 2_000 }, async ({ edges, database }) => {
    const logIn = (edge: number) =>
      edges[edge]!.app.inject({
        method: "POST",
        url: "/v1/sessions",
        payload: { email: "a@b.example", password: "correct horse" },
      });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => logIn(index % 2)));
    assert.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 10);
    const rows = await database.query<{ key: string; spent: number }>(
      "SELECT key, spent FROM rate_budget ORDER BY key",
    );
    assert.deepEqual(
      rows.map(({ key }) => key),
      ["address address 127.0.0.1", "login address 127.0.0.1"],
    );
    assert.ok(rows[0]!.spent <= 200, "60 requests took one lease of 100 on each edge");
  }));

test("an edge that stops gives back what it had leased", (t) =>
  withStore(t, { rateRead: 200 }, async ({ edges, database, read, stop }) => {
    const spent = async () => (await database.query<{ spent: number }>("SELECT spent FROM rate_budget"))[0]?.spent;
    assert.equal((await read(0)).statusCode, 200);
    assert.equal(await spent(), 10, "a lease");
    await stop(edges[0]!);
    assert.equal(await spent(), 1);
    const answers = [];
    for (let index = 0; index < 210; index++) answers.push(await read(1));
    assert.equal(allowedOf(answers), 199);
  }));

test("without its store an edge counts by itself, and shares again when it is back", async (t) => {
  const direct = new URL(process.env.FERRY_TEST_DATABASE_URL ?? "");
  const proxy = await TcpProxy.start({ port: Number(direct.port) });
  const { database, read } = await twoEdges(t, { rateRead: 20 }, (url) => proxy.through(url));
  t.after(() => proxy.close());
  proxy.refusing = true;
  const alone = [];
  for (let index = 0; index < 60; index++) alone.push(await read(index % 2));
  assert.equal(allowedOf(alone), 40, "the limit, on each");

  proxy.refusing = false;
  // What was spent meanwhile is told to the store with the first lease: both have spent all, so nothing is left.
  await until("a first lease", async () => {
    await Promise.all([read(0), read(1)]);
    const rows = await database.query<{ spent: number }>("SELECT spent FROM rate_budget").catch(() => []);
    return rows[0]?.spent === 20 || undefined;
  });
  assert.deepEqual([(await read(0)).statusCode, (await read(1)).statusCode], [429, 429]);
});

test("an edge starts without its store, counts what fails, and takes leases when it is there", async (t) => {
  const direct = new URL(process.env.FERRY_TEST_DATABASE_URL ?? "");
  const proxy = await TcpProxy.start({ port: Number(direct.port) });
  proxy.refusing = true;
  const { database, read } = await twoEdges(t, { rateRead: 20 }, (url) => proxy.through(url));
  t.after(() => proxy.close());
  assert.equal((await read(0)).statusCode, 200);
  assert.match(await readMetrics(), /ferry_edge_rate_leases_total\{outcome="failed"\} [1-9]/);
  proxy.refusing = false;
  await until("a first lease", async () => {
    await read(1);
    return /ferry_edge_rate_leases_total\{outcome="taken"\} [1-9]/.test(await readMetrics()) || undefined;
  });
  assert.equal((await database.query("SELECT spent FROM rate_budget")).length, 1);
});

test("a store that does not answer keeps nobody waiting", async (t) => {
  const direct = new URL(process.env.FERRY_TEST_DATABASE_URL ?? "");
  const proxy = await TcpProxy.start({ port: Number(direct.port) });
  const { read } = await twoEdges(t, { rateRead: 20, rateStoreTimeoutMs: 100 }, (url) => proxy.through(url));
  t.after(() => proxy.close());
  assert.equal((await read(0)).statusCode, 200);
  proxy.darken("up", "down");
  const answers = [];
  const waits: number[] = [];
  for (let index = 0; index < 40; index++) {
    const startedMs = performance.now();
    answers.push(await read(0));
    waits.push(performance.now() - startedMs);
  }
  proxy.lighten();
  assert.equal(allowedOf(answers), 19);
  const waited = waits.filter((ms) => ms >= 100).length;
  assert.ok(waited < 10, `${waited} of forty requests waited`);
});

test("windows that are over begin anew, and are removed", (t) =>
  withStore(t, { rateRead: 20 }, async ({ database, read }) => {
    const answers = [];
    for (let index = 0; index < 25; index++) answers.push(await read(0));
    assert.equal(allowedOf(answers), 20);
    assert.equal((await read(1)).statusCode, 429);
    await database.query("UPDATE rate_budget SET window_end = now() - interval '1 s'");
    // The second edge asks again a second after it was refused; the first one holds to its own window until it ends.
    await until("a new window", async () => (await read(1)).statusCode === 200 || undefined);
    const rows = await database.query<{ spent: number }>("SELECT spent FROM rate_budget WHERE window_end > now()");
    assert.deepEqual([rows.length, (rows[0]?.spent ?? 0) <= 20], [1, true]);
  }));

test("one caller who asks several times in one statement is granted the limit once", async (t) => {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase({ url, ...PATIENT });
  t.after(async () => {
    await database.close();
    await drop();
  });
  const store = createLeaseStore(database, url);
  const ask = (key: string, want: number) => ({ key, want, limit: 10 });
  const grants = await store.take([ask("a", 4), ask("b", 3), ask("a", 4), ask("a", 4)], 60_000);
  assert.deepEqual(
    grants.map(({ granted, left }) => [granted, left]),
    [
      [4, 0],
      [3, 7],
      [4, 0],
      [2, 0],
    ],
  );
  assert.deepEqual(
    (await store.take([ask("a", 1)], 60_000)).map(({ granted }) => granted),
    [0],
  );
});
