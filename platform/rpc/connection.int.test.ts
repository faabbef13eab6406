import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { freePort } from "../../test/support/free-port.ts";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";
import { until } from "../../test/support/until.ts";
import { callUnary, openChannel } from "./index.ts";
import { PatientEchoService as EchoService } from "./testing/echo-service.ts";
import { channelTo, echoClient, keepingLogger, type Line, reasonOf, serveEcho } from "./testing/harness.ts";

/** The deadline of calls that something else is to end, in milliseconds: no limit of a channel is near it. */
const FAR_MS = 30_000;
/** Ends before this, in milliseconds, came by the limit that is tried, however busy the machine is. */
const SOON_MS = 15_000;

/** A peer that accepts connections and never says a word. */
async function listenSilently(context: TestContext) {
  const sockets = new Set<Socket>();
  const events = { accepted: 0, closed: 0, onClose: () => {} };
  const server: Server = createServer((socket) => {
    events.accepted++;
    sockets.add(socket);
    socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => {
      events.closed++;
      events.onClose();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, events };
}

async function timed(call: Promise<unknown>): Promise<{ error: FerryError; tookMs: number }> {
  const startedAtMs = Date.now();
  const error = await call.then(
    () => assert.fail("the call went through"),
    (thrown: FerryError) => thrown,
  );
  assert.ok(error instanceof FerryError);
  return { error, tookMs: Date.now() - startedAtMs };
}

test("a peer that accepts and says nothing fails a call within the time for connecting, whatever the deadline", async (context) => {
  const { port } = await listenSilently(context);
  const client = echoClient(context, port, { connectTimeoutMs: 4_000 });
  const first = await timed(client.echo({}, { timeoutMs: FAR_MS }));
  assert.deepEqual([first.error.reason, first.error.message], ["UNAVAILABLE", "no connection to echo within 4000 ms"]);
  assert.ok(first.tookMs >= 3_900 && first.tookMs < SOON_MS, `${first.tookMs} ms`);
  const second = await timed(client.echo({}, { timeoutMs: FAR_MS }));
  assert.ok(second.tookMs < 3_900, `known to be silent, it is not waited for once more: ${second.tookMs} ms`);
  const stream = await timed(
    (async () => {
      for await (const _ of client.count({}));
    })(),
  );
  assert.equal(stream.error.reason, "UNAVAILABLE");
});

test("a call with less time than the connection has ends at its own deadline", async (context) => {
  const { port } = await listenSilently(context);
  const client = echoClient(context, port, { connectTimeoutMs: FAR_MS });
  const { error, tookMs } = await timed(client.echo({}, { timeoutMs: 200 }));
  assert.equal(error.reason, "DEADLINE_EXCEEDED");
  assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
});

test("waiting for a connection ends when the caller gives up", async (context) => {
  const { port, events } = await listenSilently(context);
  const aborter = new AbortController();
  const client = echoClient(context, port, { connectTimeoutMs: FAR_MS });
  const call = timed(client.echo({}, { signal: aborter.signal, timeoutMs: FAR_MS }));
  while (events.accepted === 0) await new Promise((resolve) => setImmediate(resolve));
  aborter.abort(new FerryError("CANCELED", "no longer wanted"));
  const { error, tookMs } = await call;
  assert.equal(error.message, "no longer wanted");
  assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
});

test("a refused connection fails a call soon, and the channel recovers by itself when the peer is there", async (context) => {
  const port = await freePort();
  const channel = channelTo(context, port);
  const { error, tookMs } = await timed(callUnary(channel, EchoService.method.echo, {}, { timeoutMs: FAR_MS }));
  assert.equal(error.reason, "UNAVAILABLE");
  assert.match(String(error.cause), /ECONNREFUSED/, "by the refusal, not by the time for connecting");
  assert.ok(tookMs < SOON_MS, `${tookMs} ms`);
  assert.match(channel.unready() ?? "", /no connection to echo/);
  await serveEcho(context, { echo: () => ({ text: "here" }) }, { port });
  let text = "";
  while (text === "")
    text = await callUnary(channel, EchoService.method.echo, {}).then(
      ({ message }) => message.text,
      () => "",
    );
  assert.equal(text, "here");
  assert.equal(channel.unready(), undefined);
});

test("a clock that is set back keeps no channel from connecting again", { timeout: 60_000 }, async (context) => {
  const port = await freePort();
  const now = Date.now;
  let backMs = 0;
  // By an hour at each look: whatever two of them are compared for.
  context.mock.method(Date, "now", () => {
    backMs += 3_600_000;
    return now() - backMs;
  });
  const channel = channelTo(context, port, { breaker: { minCalls: 1_000_000 } });
  const call = () => reasonOf(callUnary(channel, EchoService.method.echo, {}, { timeoutMs: FAR_MS }));
  assert.equal(await call(), "UNAVAILABLE");
  await serveEcho(context, { echo: () => ({ text: "here" }) }, { port });
  assert.ok(await until("the next connection", async () => (await call()) === "OK" || undefined));
});

test("a connection that does not come about is begun anew, and the old one is let go", async (context) => {
  const { port, events } = await listenSilently(context);
  const lines: Line[] = [];
  const closed = new Promise<void>((resolve) => {
    events.onClose = resolve;
  });
  const client = echoClient(context, port, { connectTimeoutMs: 100, renewAfterMs: 200, logger: keepingLogger(lines) });
  assert.equal(await reasonOf(client.echo({})), "UNAVAILABLE");
  await closed;
  while (events.accepted < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lines[0]?.message, "connection does not come about, starting anew");
});

test("a connection that falls silent is given up within keepalive time and time-out, with a call on it or none", async (context) => {
  const { port } = await serveEcho(context, { once: ({ text }) => ({ text }) });
  const proxy = await TcpProxy.start({ port });
  context.after(() => proxy.close());
  // Time enough for an answer on a machine that is busy; without them a silent connection is kept for 40 s.
  const keepalive = { everyMs: 200, timeoutMs: 4_000 };
  const open = () => channelTo(context, proxy.port, { keepalive, connectTimeoutMs: 2_000 });
  const [busy, idle] = [open(), open()];
  const call = (channel: typeof busy) => callUnary(channel, EchoService.method.once, {}, { timeoutMs: FAR_MS });
  for (const channel of [busy, idle])
    await until("a connection", async () => (await reasonOf(call(channel))) === "OK" || undefined);
  const connections = proxy.counts.connections;
  const aliveUntil = Date.now() + keepalive.everyMs * 3;
  while (Date.now() < aliveUntil) await call(busy);
  assert.equal(proxy.counts.connections, connections, "a peer that answers keeps its connections");

  proxy.darken("down");
  const darkAtMs = Date.now();
  const { error, tookMs } = await timed(call(busy));
  assert.equal(error.reason, "UNAVAILABLE", "not by its deadline");
  assert.ok(tookMs < SOON_MS, `${tookMs} ms: not by keepalive`);
  assert.match(await until("the idle one to be given up", () => idle.unready()), /no connection to echo/);
  assert.ok(Date.now() - darkAtMs < SOON_MS, `${Date.now() - darkAtMs} ms: not by keepalive`);
  proxy.lighten();
  // Until the peer's first word has come, calls fail at once: its silence is known.
  const goesThrough = async () => (await reasonOf(call(busy))) === "OK" || undefined;
  assert.ok(await until("a call to go through", goesThrough));
});

test("a closed channel refuses calls, and a url that is none is refused when it is opened", async (context) => {
  const { port } = await serveEcho(context, { echo: () => ({}) });
  const channel = channelTo(context, port);
  await callUnary(channel, EchoService.method.echo, {});
  channel.close();
  assert.equal(await reasonOf(callUnary(channel, EchoService.method.echo, {})), "UNAVAILABLE");
  assert.equal(channel.unready(), "closed");
  const logger = keepingLogger([]);
  assert.throws(() => openChannel({ url: "ftp://host", audience: "echo", logger }), /needs http or https/);
});

test("only a call that the contract calls safe is tried again, and only when its peer was unavailable", async (context) => {
  const tries = { echo: 0, once: 0, count: 0 };
  const flaky = (rpc: "echo" | "once", reason: "UNAVAILABLE" | "INTERNAL" | "CONFLICT") => () => {
    tries[rpc]++;
    if (tries[rpc] < 3) throw new FerryError(reason, "not yet");
    return { number: tries[rpc] };
  };
  const first = await serveEcho(context, { echo: flaky("echo", "UNAVAILABLE"), once: flaky("once", "UNAVAILABLE") });
  const client = echoClient(context, first.port);
  assert.equal((await client.echo({})).number, 3);
  assert.equal(await reasonOf(client.once({})), "UNAVAILABLE");
  assert.equal(tries.once, 1);
  tries.echo = 0;
  const second = await serveEcho(context, { echo: flaky("echo", "CONFLICT") });
  assert.equal(await reasonOf(echoClient(context, second.port).echo({})), "CONFLICT");
  assert.equal(tries.echo, 1);
});

test("retries end with the budget, with the deadline, and where the server asks for more time", async (context) => {
  let tries = 0;
  const triesOf = new Map<number, number>();
  let retryAfterMs: number | undefined;
  const { port } = await serveEcho(context, {
    echo({ number }) {
      tries++;
      triesOf.set(number, (triesOf.get(number) ?? 0) + 1);
      throw new FerryError("UNAVAILABLE", "never", { retryAfterMs });
    },
  });
  const client = echoClient(context, port);
  for (let count = 0; count < 20; count++) await reasonOf(client.echo({}));
  assert.ok(tries >= 30 && tries <= 33, `20 calls may be tried again 10 to 13 times in all: ${tries} tries`);
  const fresh = echoClient(context, port);
  triesOf.clear();
  // The server asks for a pause that would be kept, if the deadline were not before its end.
  retryAfterMs = 900;
  let call = 0;
  await until("a call that arrives", async () => {
    await reasonOf(fresh.echo({ number: ++call }, { timeoutMs: 800 }));
    return triesOf.get(call);
  });
  retryAfterMs = 60_000;
  await reasonOf(fresh.echo({ number: 1_000 }));
  assert.equal(triesOf.get(1_000), 1, "asked to stay away");
  assert.deepEqual(new Set(triesOf.values()), new Set([1]), "no time for another");
});

test("a peer that takes calls and never answers is left alone by a breaker, and called again when it is well", async (context) => {
  let hangs = true;
  let called = 0;
  const { port } = await serveEcho(context, {
    echo: ({ text }) => (hangs ? new Promise<never>(() => {}) : { text }),
    once() {
      called++;
      return { text: "there" };
    },
  });
  // A pause that is not over before the next call is made, also where the machine is busy: it is of random length.
  context.mock.method(Math, "random", () => 0.5);
  const channel = channelTo(context, port, { breaker: { minCalls: 10, firstPauseMs: 4_000, longestPauseMs: 4_000 } });
  const call = (timeoutMs: number) => callUnary(channel, EchoService.method.echo, { text: "hello" }, { timeoutMs });
  assert.deepEqual(
    new Set(await Promise.all(Array.from({ length: 10 }, () => reasonOf(call(40))))),
    new Set(["DEADLINE_EXCEEDED"]),
  );
  assert.equal(channel.upstream().state, "open");
  const { error } = await timed(callUnary(channel, EchoService.method.once, {}));
  assert.deepEqual([error.reason, error.message], ["UNAVAILABLE", "echo fails, and is left alone for a moment"]);
  assert.equal(called, 0, "it was called");
  hangs = false;
  const reason = await until("the pause to be over", async () => {
    const now = await reasonOf(call(FAR_MS));
    return now === "UNAVAILABLE" ? undefined : now;
  });
  assert.deepEqual([reason, channel.upstream().state], ["OK", "closed"]);
});

test("errors that a peer answers with do not open its breaker, whatever their reason", async (context) => {
  const { port } = await serveEcho(context, {
    once() {
      throw new FerryError("UNAVAILABLE", "what it stands on is away");
    },
  });
  const channel = channelTo(context, port, { breaker: { minCalls: 10 } });
  for (let count = 0; count < 20; count++)
    assert.equal(await reasonOf(callUnary(channel, EchoService.method.once, {})), "UNAVAILABLE");
  assert.equal(channel.upstream().state, "closed");
});

test("a channel makes so many calls at once and no more", async (context) => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const { port } = await serveEcho(context, { once: () => answered.then(() => ({ text: "late" })) });
  const channel = channelTo(context, port, { maxInFlight: 2 });
  const call = () => reasonOf(callUnary(channel, EchoService.method.once, {}));
  const two = [call(), call()];
  assert.equal(await call(), "OVERLOADED");
  answer();
  assert.deepEqual(await Promise.all(two), ["OK", "OK"]);
});
