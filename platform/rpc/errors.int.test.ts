import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "@ferry/gen/google/rpc/status_pb.ts";
import { Health } from "@ferry/gen/grpc/health/v1/health_pb.ts";
import { catalogue, FerryError } from "@ferry/platform/errors";
import { createRpcClient, toFerryError } from "./index.ts";
import { fromWireStatus, toWireStatus } from "./status.ts";
import { channelTo, echoClient, keepingLogger, type Line, reasonOf, serveEcho } from "./testing/harness.ts";

test("every reason of the catalogue comes back as it went, with its code, fields and time to wait", () => {
  for (const { reason, grpcCode } of catalogue.values()) {
    const fields = [{ field: "amount.minor_units", description: "must be above zero" }];
    const status = toWireStatus(new FerryError(reason, `said of ${reason} – “ü”`, { fields, retryAfterMs: 1_500 }));
    assert.equal(status.code, grpcCode);
    const back = fromWireStatus(status);
    assert.deepEqual([back.reason, back.message, back.retryAfterMs], [reason, `said of ${reason} – “ü”`, 1_500]);
    assert.deepEqual(back.fields, fields);
  }
});

test("a wait that no answer of ours could hold is passed on as the longest that one can", () => {
  const told = (seconds: bigint, nanos = 0) => {
    const retryDelay = create(DurationSchema, { seconds, nanos });
    const detail = anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay }));
    const packed = toBinary(StatusSchema, create(StatusSchema, { code: 14, message: "busy", details: [detail] }));
    return fromWireStatus({ code: 14, details: "busy", packed });
  };
  for (const [seconds, waitMs] of [
    [2n ** 63n - 1n, 86_400_000],
    [-(2n ** 63n), 0],
    [3n, 3_000],
  ] as const) {
    assert.equal(told(seconds).retryAfterMs, waitMs);
    assert.equal(fromWireStatus(toWireStatus(told(seconds))).retryAfterMs, waitMs);
  }
  assert.equal(told(0n, 1_499_600).retryAfterMs, 1);
  for (const retryAfterMs of [Number.NaN, Number.POSITIVE_INFINITY, -5, 999.7])
    assert.equal(toWireStatus(new FerryError("UNAVAILABLE", "busy", { retryAfterMs })).code, 14);
});

test("statuses of others get the reason that fits their code, and texts of the network stay out of messages", () => {
  const cases: [number, string, string][] = [
    [1, "CANCELED", "gone"],
    [3, "INVALID_REQUEST", "gone"],
    [5, "NOT_FOUND", "gone"],
    [7, "PERMISSION_DENIED", "gone"],
    [12, "UNIMPLEMENTED", "gone"],
    [16, "UNAUTHENTICATED", "gone"],
    [2, "INTERNAL", "internal error"],
    [13, "INTERNAL", "internal error"],
    [99, "INTERNAL", "internal error"],
    [14, "UNAVAILABLE", "a service that is needed cannot be reached"],
  ];
  for (const [code, reason, message] of cases) {
    const error = fromWireStatus({ code, details: "gone" });
    assert.deepEqual([error.reason, error.message], [reason, message]);
    assert.match(String(error.cause), /gone/);
  }
  assert.equal(
    fromWireStatus({ code: 8, details: "Received message larger than max (9 vs 8)" }).reason,
    "BODY_TOO_LARGE",
  );
  assert.equal(fromWireStatus({ code: 8, details: "quota" }).reason, "RESOURCE_EXHAUSTED");
  assert.equal(toFerryError(new ConnectError("no", Code.PermissionDenied)).reason, "PERMISSION_DENIED");
  assert.equal(
    toFerryError(AbortSignal.timeout(0).reason ?? new DOMException("late", "TimeoutError")).reason,
    "DEADLINE_EXCEEDED",
  );
});

test("errors travel with their details, and what is not known leaks nothing but is logged with the request id", async (context) => {
  const lines: Line[] = [];
  const { port } = await serveEcho(
    context,
    {
      echo() {
        throw new FerryError("RATE_LIMITED", "slow down \ud800", { retryAfterMs: 250, cause: new Error("secret") });
      },
      once() {
        throw new TypeError("secret of the database");
      },
    },
    { logger: keepingLogger(lines) },
  );
  const client = echoClient(context, port);
  const limited = await client.echo({}).then(
    () => assert.fail(),
    (error: FerryError) => error,
  );
  assert.deepEqual([limited.reason, limited.retryAfterMs, limited.message], ["RATE_LIMITED", 250, "slow down \ufffd"]);
  const unknown = await client.once({}, { headers: { "x-request-id": "r-1" } }).then(
    () => assert.fail(),
    (error: FerryError) => error,
  );
  assert.deepEqual([unknown.reason, unknown.message], ["INTERNAL", "internal error"]);
  const failures = lines.filter(({ level }) => level === "error");
  assert.equal(failures.length, 1);
  assert.match(String(failures[0]?.fields.cause), /secret of the database/);
});

test("messages above the limit are refused on their way in and on their way out", async (context) => {
  const { port } = await serveEcho(
    context,
    { echo: ({ number }) => ({ text: "x".repeat(number) }) },
    { limits: { maxMessageBytes: 10_000 } },
  );
  const client = echoClient(context, port, { maxMessageBytes: 50_000 });
  assert.equal(await reasonOf(client.echo({ number: 9_000 })), "OK");
  assert.equal(await reasonOf(client.echo({ text: "x".repeat(20_000) })), "BODY_TOO_LARGE", "by the server");
  assert.equal(await reasonOf(client.echo({ text: "x".repeat(60_000) })), "BODY_TOO_LARGE", "by the client");
  assert.equal(await reasonOf(client.echo({ number: 20_000 })), "RESOURCE_EXHAUSTED");
  const narrow = echoClient(context, port, { maxMessageBytes: 1_000 });
  assert.equal(
    await reasonOf(narrow.echo({ number: 5_000 })),
    "BODY_TOO_LARGE",
    "an answer that the client does not take",
  );
  assert.equal(await reasonOf(client.echo({}, { headers: { "x-large": "x".repeat(20_000) } })), "HEADERS_TOO_LARGE");
});

test("calls beyond what the server takes at once are refused, and health still answers", async (context) => {
  const gate = Promise.withResolvers<void>();
  let entered = 0;
  const { port } = await serveEcho(
    context,
    {
      async once() {
        entered++;
        await gate.promise;
        return {};
      },
    },
    { limits: { maxInFlight: 2 } },
  );
  const client = echoClient(context, port);
  const calls = [client.once({}), client.once({}), client.once({})].map((call) =>
    call.then(
      () => "OK",
      (error: FerryError) => `${error.reason} ${error.retryAfterMs}`,
    ),
  );
  assert.equal(await Promise.race(calls), "OVERLOADED 1000");
  assert.equal((await createRpcClient(Health, channelTo(context, port)).check({})).status, 1);
  gate.resolve();
  assert.deepEqual((await Promise.all(calls)).sort(), ["OK", "OK", "OVERLOADED 1000"]);
  assert.equal(entered, 2);
  assert.equal(await reasonOf(client.once({})), "OK");
});

test("however calls end, their places are free again, and nothing is left that nobody handles", async (context) => {
  const lines: Line[] = [];
  const pause = (signal: AbortSignal) =>
    new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  const { port } = await serveEcho(
    context,
    {
      async echo({ number }, { signal }) {
        if (number % 4 === 1) throw new FerryError("NOT_FOUND", "nothing");
        if (number % 4 >= 2) await pause(signal);
        return {};
      },
      async *chat(requests, { signal }) {
        for await (const { number } of requests) {
          if (number === 1) throw new FerryError("NOT_FOUND", "nothing");
          if (number >= 2) await pause(signal);
          yield {};
        }
      },
    },
    { limits: { maxInFlight: 8 }, logger: keepingLogger(lines) },
  );
  const client = echoClient(context, port);
  async function* one(number: number) {
    yield { number };
  }
  async function call(number: number) {
    const aborter = new AbortController();
    const options = { signal: aborter.signal, timeoutMs: number % 4 === 3 ? 15 : 30_000 };
    if (number % 4 === 2) setTimeout(() => aborter.abort(new FerryError("CANCELED", "enough")), 5);
    return number % 8 < 4
      ? reasonOf(client.echo({ number }, options))
      : reasonOf(client.chat(one(number % 4), options));
  }
  const reasons = new Map<string, number>();
  for (let round = 0; round < 20; round++)
    for (const reason of await Promise.all(Array.from({ length: 8 }, (_, index) => call(index))))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  reasons.delete("OVERLOADED");
  assert.deepEqual([...reasons.keys()].sort(), ["CANCELED", "DEADLINE_EXCEEDED", "NOT_FOUND", "OK"]);
  let free = "";
  while (free !== "OK")
    free =
      (await Promise.all(Array.from({ length: 8 }, () => reasonOf(client.echo({}))))).find(
        (reason) => reason !== "OK",
      ) ?? "OK";
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
  );
});
