// What clients of gRPC can do wrong, at a server in this process. More of it: platform/rpc/*.int.test.ts.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { create, type DescMethod, type DescService, toBinary } from "@bufbuild/protobuf";
import { getPolicy, pathOf } from "../../platform/rpc/policy.ts";
import { EchoRequestSchema, PATIENT_MS } from "../../platform/rpc/testing/echo-service.ts";
import { echoClient, reasonOf, serveEcho } from "../../platform/rpc/testing/harness.ts";
import { until } from "../support/until.ts";
import { CODES, framed, openConnection, reset } from "./support/grpc.ts";

const ECHO = "/ferry.test.v1.EchoService/Echo";
const GEN = resolve(import.meta.dirname, "../../gen");
const request = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "a" }));
const MEBIBYTE = 1_048_576;

test("a message of 5 MB is refused, as are lengths that nobody could mean, before their bytes come", async (context) => {
  let called = 0;
  const { port } = await serveEcho(context, { echo: () => ({ number: ++called }) });
  const { send, open } = openConnection(context, port);
  const large = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "a".repeat(5 * MEBIBYTE) }));
  assert.equal(await send(ECHO, {}, framed(large)), CODES.RESOURCE_EXHAUSTED);
  for (const length of [5 * MEBIBYTE, 0x7fffffff, 0xffffffff]) {
    const { stream, ended } = open(ECHO);
    stream.write(framed(request, { length })); // It does not end: the length alone decides.
    stream.on("response", () => stream.end());
    assert.equal(await ended, CODES.RESOURCE_EXHAUSTED, `${length} bytes`);
  }
  assert.equal(called, 0);
  assert.equal(await reasonOf(echoClient(context, port).echo({})), "OK");
});

test("what is no call, and is reset as soon as it has begun, harms nobody", async (context) => {
  const { port } = await serveEcho(context, { echo: () => ({}) });
  const { open } = openConnection(context, port);
  const exchanges = Array.from({ length: 100 }, (_, index) =>
    open(ECHO, index % 2 === 0 ? { ":method": "PUT" } : { "content-type": "text/plain" }),
  );
  for (const exchange of exchanges) reset(exchange);
  await Promise.all(exchanges.map(({ ended }) => ended));
  assert.equal(await reasonOf(echoClient(context, port).echo({})), "OK");
});

test("a length prefix that is broken is refused, and the connection goes on", async (context) => {
  let called = 0;
  const { port } = await serveEcho(context, { echo: () => ({ number: ++called }) });
  const { send } = openConnection(context, port);
  const refused: (number | undefined)[] = [
    CODES.INVALID_ARGUMENT,
    CODES.INTERNAL,
    CODES.UNIMPLEMENTED,
    CODES.RESOURCE_EXHAUSTED,
  ];
  const broken: [what: string, bytes: Uint8Array][] = [
    ["three of its five bytes", framed(request).subarray(0, 3)],
    ["longer than what comes", framed(request, { length: request.length + 1 })],
    ["shorter than what comes", framed(request, { length: 1 })],
    ["nothing but zeros behind it", Buffer.concat([framed(request), Buffer.alloc(4)])],
    ["no prefix at all", request],
    ["said to be packed", framed(request, { flag: 1 })],
    ["a flag that is none", framed(request, { flag: 0x7f })],
    ["text", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ];
  for (const [what, bytes] of broken) {
    const status = await send(ECHO, {}, bytes);
    assert.ok(refused.includes(status), `${what}: ${status}`);
  }
  assert.equal(called, 0);
  assert.equal(await send(ECHO, {}, framed(request)), CODES.OK);
});

test("texts that are no UTF-8, or have NUL in them, are refused before a handler sees them", async (context) => {
  const texts: string[] = [];
  const { port } = await serveEcho(context, {
    echo({ text }) {
      texts.push(text);
      return {};
    },
  });
  const { send } = openConnection(context, port);
  const odd = [
    [0xff, 0xff],
    [0xc0, 0x80],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
    [0xf8, 0x88, 0x80, 0x80],
    [0x61, 0x00],
  ];
  for (const bytes of odd) {
    const text = framed(Uint8Array.of(0x0a, bytes.length, ...bytes));
    assert.equal(await send(ECHO, {}, text), CODES.INVALID_ARGUMENT, bytes.join());
  }
  assert.deepEqual(texts, []);
});

test("a deadline of no form is refused, one that is over is over, and an absent one is the contract's", async (context) => {
  const given: (number | undefined)[] = [];
  const { port } = await serveEcho(context, {
    echo(_, { timeoutMs }) {
      given.push(timeoutMs());
      return {};
    },
  });
  const { send } = openConnection(context, port);
  for (const timeout of ["soon", "-1S", "1e3S", "999999999S", "1", "S", "1.5S", "1s", "١S"]) {
    const sent = Buffer.from(timeout).toString("latin1");
    assert.equal(await send(ECHO, { "grpc-timeout": sent }, framed(request)), CODES.INVALID_ARGUMENT, timeout);
  }
  for (const timeout of ["0S", "0n", "1n"])
    assert.equal(await send(ECHO, { "grpc-timeout": timeout }, framed(request)), CODES.DEADLINE_EXCEEDED, timeout);
  assert.deepEqual(given, []);
  assert.equal(await send(ECHO, {}, framed(request)), CODES.OK);
  assert.ok(given[0]! > 0 && given[0]! <= PATIENT_MS, `${given[0]} ms`);
});

test("who goes away in the middle of a request or of an answer leaves nothing behind", async (context) => {
  const left = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  let called = 0;
  const { port } = await serveEcho(
    context,
    {
      echo: () => ({ number: ++called }),
      async *watch(_, { signal }) {
        signal.addEventListener("abort", () => left.resolve());
        yield { text: "first" };
        entered.resolve();
        await left.promise;
      },
    },
    { limits: { maxInFlight: 1 } },
  );
  const { open, send } = openConnection(context, port);
  for (let round = 0; round < 20; round++) {
    const half = open(ECHO);
    half.stream.write(framed(request).subarray(0, 6));
    reset(half);
    assert.equal(await half.ended, undefined);
  }
  // Refused where the server has read the last reset and this in one: the place is free a moment later.
  const watch = await until("a place for the stream", () => {
    const exchange = open("/ferry.test.v1.EchoService/Watch");
    exchange.stream.end(framed(request));
    return Promise.race([entered.promise.then(() => exchange), exchange.ended.then(() => undefined)]);
  });
  reset(watch);
  await left.promise;
  // The one place that there is becomes free again, whoever held it.
  await until("a free place", async () => ((await send(ECHO, {}, framed(request))) === CODES.OK ? true : undefined));
  assert.equal(called, 1);
});

test("streams beyond a connection's cap wait at the client, and go on when there is room", async (context) => {
  const gate = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  let [running, most] = [0, 0];
  const { port } = await serveEcho(
    context,
    {
      async echo() {
        most = Math.max(most, ++running);
        if (running === 5) full.resolve();
        await gate.promise;
        running--;
        return {};
      },
    },
    { limits: { maxConcurrentStreams: 4 } },
  );
  const { session, send } = openConnection(context, port);
  await new Promise((done) => session.once("remoteSettings", done));
  assert.equal(session.remoteSettings.maxConcurrentStreams, 4);
  const calls = Array.from({ length: 12 }, () => send(ECHO, {}, framed(request)));
  const other = openConnection(context, port);
  const answered = other.send(ECHO, {}, framed(request)); // Another's connection has a cap of its own.
  await full.promise;
  gate.resolve();
  assert.deepEqual(new Set([...(await Promise.all(calls)), await answered]), new Set([CODES.OK]));
  assert.equal(most, 5);
});

/** Every service of Ferry's contracts, those between services too. */
async function allServices(): Promise<DescService[]> {
  const files = globSync("ferry/**/*_pb.ts", { cwd: GEN }).map((path) => import(resolve(GEN, path)));
  const exports = (await Promise.all(files)).flatMap((module) => Object.values(module as Record<string, unknown>));
  return exports.filter((one): one is DescService => (one as { kind?: string } | null)?.kind === "service");
}

const CALLERS = [undefined, "Bearer member/m1/", "Bearer operator/o1/", "Bearer service/stranger", "Bearer nonsense"];

test("no rpc of any service answers who may not call it, on the port within the platform either", async (context) => {
  const services = (await allServices()).filter(({ typeName }) => typeName !== "ferry.build.v1.BuildService");
  const called: string[] = [];
  const answering = (rpc: DescMethod) => () => {
    called.push(rpc.name);
    return {};
  };
  const { port } = await serveEcho(
    context,
    {},
    {
      routes(router) {
        for (const service of services)
          router.service(
            service,
            Object.fromEntries(service.methods.map((rpc) => [rpc.localName, answering(rpc)])) as object,
          );
      },
    },
  );
  const { send } = openConnection(context, port);
  let tried = 0;
  for (const rpc of services.flatMap(({ methods }) => methods)) {
    const policy = getPolicy(rpc);
    if (policy.auth === "public") continue;
    for (const authorization of CALLERS) {
      const kind = authorization === undefined ? undefined : /^Bearer (\w+)\//.exec(authorization)?.[1];
      const mayCall = kind === policy.auth || (policy.auth === "member" && kind === "operator");
      // Whoever may call by kind has none of the scopes, and is none of the services that are named.
      if (mayCall && policy.scopes.length === 0 && policy.callers.size === 0) continue;
      const wanted: number = kind === undefined ? CODES.UNAUTHENTICATED : CODES.PERMISSION_DENIED;
      const status = await send(
        pathOf(rpc),
        authorization === undefined ? {} : { authorization },
        framed(new Uint8Array()),
      );
      assert.equal(status, wanted, `${pathOf(rpc)} ${authorization}`);
      tried++;
    }
  }
  assert.ok(tried >= 300, `${tried} calls`);
  assert.deepEqual(called, []);
});
