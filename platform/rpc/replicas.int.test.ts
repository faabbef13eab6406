// A service with two replicas behind one name, of which now one and now the other is away.
import assert from "node:assert/strict";
import dns from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import { type TestContext, test } from "node:test";
import { callUnary, openChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { until } from "../../test/support/until.ts";
import { PatientEchoService } from "./testing/echo-service.ts";
import { reasonOf, serveEcho } from "./testing/harness.ts";

const HOSTS = ["127.0.0.1", "127.0.0.2"];

/** For the length of a test every name has the addresses of both replicas. */
function nameBoth(context: TestContext) {
  const { lookup } = dns;
  dns.lookup = (async () => HOSTS.map((address) => ({ address, family: 4 }))) as unknown as typeof dns.lookup;
  syncBuiltinESMExports();
  context.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
}

/** From now on pauses of a second and more never end: an attempt to connect after one of them is not what finds a replica. */
function holdLongPauses(context: TestContext) {
  const { setTimeout } = globalThis;
  let held = 0;
  const hold = (run: () => void, ms = 0) => {
    const isLong = ms >= 1_000 && ms < 5_000;
    if (isLong) held++;
    return setTimeout(run, isLong ? 2 ** 30 : ms);
  };
  context.mock.method(globalThis, "setTimeout", hold as typeof setTimeout);
  return () => held;
}

test("a replica that is back is found at once when the only other one leaves, however long it was away", {
  skip: process.platform !== "linux", // Elsewhere there is one address on loopback.
}, async (context) => {
  nameBoth(context);
  const started: string[] = [];
  const serve = async (host: string, port = 0) => {
    const once = () => {
      started.push(host);
      return {};
    };
    return serveEcho(context, { once }, { host, port, limits: { drainTimeoutMs: 30_000 } });
  };
  const first = await serve("127.0.0.1");
  const { port } = first;
  const second = await serve("127.0.0.2", port);
  const url = `http://replicas.example:${port}`;
  const channel = openChannel({ url, audience: "echo", logger, connectTimeoutMs: 10_000 });
  context.after(() => channel.close());
  const call = () => reasonOf(callUnary(channel, PatientEchoService.method.once, {}));
  const callWell = async () => assert.equal(await call(), "OK");
  await until("calls to both", () => callWell().then(() => new Set(started).size === HOSTS.length || undefined));

  const held = holdLongPauses(context);
  await second.stop();
  await until("attempts to connect seconds apart", () => callWell().then(() => held() > 0 || undefined));
  await serve("127.0.0.2", port);
  const calls = Array.from({ length: 16 }, call);
  const leaving = first.stop();
  for (let round = 0; round < 20; round++) calls.push(call());
  assert.deepEqual([...new Set(await Promise.all(calls))], ["OK"]);
  await leaving;
  started.length = 0;
  assert.equal(await call(), "OK", "there is no next attempt by itself");
  assert.deepEqual(started, ["127.0.0.2"]);
});
