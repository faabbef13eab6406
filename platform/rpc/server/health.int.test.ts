import assert from "node:assert/strict";
import { test } from "node:test";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@ferry/gen/grpc/health/v1/health_pb.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { until } from "../../../test/support/until.ts";
import { createRpcClient } from "../index.ts";
import { channelTo, echoClient, reasonOf, serveEcho } from "../testing/harness.ts";

const SERVICE = "ferry.test.v1.EchoService";
/** A stop that waits for the calls in flight, however long this machine takes for them. */
const PATIENT_STOP = { drainTimeoutMs: 30_000 };

test("health tells of the server and of each service, and of what its process says", async (context) => {
  let reason: string | undefined;
  const server = await serveEcho(context, {}, { unready: () => reason });
  const client = createRpcClient(Health, channelTo(context, server.port));
  const statusOf = async (service: string) => (await client.check({ service })).status;
  assert.deepEqual([await statusOf(""), await statusOf(SERVICE)], [Status.SERVING, Status.SERVING]);
  assert.equal(await reasonOf(client.check({ service: "ferry.none" })), "NOT_FOUND");
  server.health.set(SERVICE, false);
  assert.deepEqual([await statusOf(""), await statusOf(SERVICE)], [Status.SERVING, Status.NOT_SERVING]);
  assert.deepEqual(Object.keys((await client.list({})).statuses).sort(), ["", "ferry.build.v1.BuildService", SERVICE]);
  reason = "the broker is away";
  assert.equal(await statusOf(""), Status.NOT_SERVING);
});

test("who watches the health is told of each change, of services unknown until now too, and of the stop", async (context) => {
  const server = await serveEcho(context, {}, { limits: PATIENT_STOP });
  const client = createRpcClient(Health, channelTo(context, server.port));
  const known = client.watch({ service: SERVICE })[Symbol.asyncIterator]();
  const unknown = client.watch({ service: "ferry.later" })[Symbol.asyncIterator]();
  const next = async (watch: typeof known) => ((await watch.next()) as { value: { status: Status } }).value.status;
  assert.deepEqual([await next(known), await next(unknown)], [Status.SERVING, Status.SERVICE_UNKNOWN]);
  server.health.set(SERVICE, false);
  server.health.set("ferry.later", true);
  assert.deepEqual([await next(known), await next(unknown)], [Status.NOT_SERVING, Status.SERVING]);
  const stopped = server.stop();
  assert.equal(await next(unknown), Status.NOT_SERVING);
  await stopped;
  assert.equal(await reasonOf(unknown.next()), "UNAVAILABLE");
});

test("a stop lets calls in flight end well and refuses new ones", async (context) => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const implementation = {
    async once() {
      entered.resolve();
      await gate.promise;
      return { text: "done" };
    },
    echo: () => ({}),
  };
  // Nobody else's when it is stopped: it is called there.
  const server = await serveEcho(context, implementation, { port: await freePort(), limits: PATIENT_STOP });
  // It waits so long for the server to come back, at the end.
  const client = echoClient(context, server.port, { connectTimeoutMs: 1_000 });
  await until("a connection", async () => (await reasonOf(client.echo({}))) === "OK" || undefined);
  const call = client.once({});
  await entered.promise;
  const stopped = server.stop();
  assert.equal(server.unready(), "stopping");
  assert.equal(await reasonOf(echoClient(context, server.port).echo({})), "UNAVAILABLE");
  gate.resolve();
  assert.equal((await call).text, "done");
  await stopped;
  assert.equal(await reasonOf(client.echo({})), "UNAVAILABLE");
});

test("a stop goes over to another server without a failed call", async (context) => {
  const implementation = { echo: () => ({}), once: () => ({}) };
  const first = await serveEcho(context, implementation, { port: await freePort(), limits: PATIENT_STOP });
  // However long this machine takes to start the second one: it is not the time that is tested.
  const client = echoClient(context, first.port, { connectTimeoutMs: 30_000 });
  let calls = 0;
  let calling = true;
  const failures: string[] = [];
  const load = async () => {
    while (calling) {
      const reason = await reasonOf(client.once({}, { timeoutMs: 30_000 }));
      calls++;
      if (reason !== "OK") failures.push(reason);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  context.after(() => {
    calling = false; // Where it fails, they would call for ever.
  });
  const callers = [load(), load(), load(), load()];
  while (calls < 50) await new Promise((resolve) => setImmediate(resolve));
  const before = first.port;
  await first.stop();
  await serveEcho(context, implementation, { port: before });
  const reached = calls + 50;
  while (calls < reached) await new Promise((resolve) => setImmediate(resolve));
  calling = false;
  await Promise.all(callers);
  assert.deepEqual(failures, []);
});

test("a stop cuts off what does not end within its time", async (context) => {
  const entered = Promise.withResolvers<void>();
  const server = await serveEcho(
    context,
    {
      async once(_, { signal }) {
        entered.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        return {};
      },
    },
    { limits: { drainTimeoutMs: 100 } },
  );
  const call = reasonOf(echoClient(context, server.port).once({}));
  await entered.promise;
  await server.stop();
  assert.equal(await call, "UNAVAILABLE", "not by its deadline");
});
