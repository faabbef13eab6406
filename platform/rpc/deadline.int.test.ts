import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceImpl } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { currentContext, newTraceparent, runInContext, traceIdOf } from "@ferry/platform/telemetry";
import { until } from "../../test/support/until.ts";
import { EchoService, PATIENT_MS } from "./testing/echo-service.ts";
import { echoClient, keepingLogger, type Line, reasonOf, serveEcho } from "./testing/harness.ts";

/** Resolves with the reason of the abort. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

const reasonIn = (value: unknown) => (value instanceof FerryError ? value.reason : String(value));

test("a call without a deadline of its own gets the contract's, and the handler is told when it is over", async (context) => {
  const told = Promise.withResolvers<string>();
  const implementation: Partial<ServiceImpl<typeof EchoService>> = {
    async once(_, { signal, timeoutMs }) {
      assert.ok((timeoutMs() ?? 0) <= 1_000);
      told.resolve(reasonIn(await aborted(signal)));
      return {};
    },
  };
  const { port } = await serveEcho(
    context,
    {},
    { routes: (router) => void router.service(EchoService, implementation) },
  );
  const startedAtMs = Date.now();
  // Longer than the contract allows: the server's own clock ends it.
  const call = echoClient(context, port).once({}, { timeoutMs: 3_600_000 });
  assert.equal(await reasonOf(call), "DEADLINE_EXCEEDED");
  const tookMs = Date.now() - startedAtMs;
  assert.ok(tookMs >= 950 && tookMs < 15_000, `${tookMs} ms`);
  assert.equal(await told.promise, "DEADLINE_EXCEEDED");
});

test("a deadline beyond 32 bits does not turn into one that has passed", async (context) => {
  const { port } = await serveEcho(context, { echo: (_, { timeoutMs }) => ({ number: timeoutMs() }) });
  const { number } = await echoClient(context, port).echo({}, { timeoutMs: 40 * 86_400_000 });
  assert.ok(number > 0 && number <= 1.5 * PATIENT_MS, `${number} ms are left`);
});

test("each hop gets what remains of the caller's time less a margin", async (context) => {
  const inner = await serveEcho(context, { echo: (_, { timeoutMs }) => ({ number: timeoutMs() }) });
  const onward = echoClient(context, inner.port);
  const outer = await serveEcho(context, {
    async once() {
      return { number: (await onward.echo({})).number };
    },
    async echo() {
      return { number: (await onward.echo({}, { timeoutMs: 10_000 })).number };
    },
    async *count() {
      yield { text: await reasonOf(onward.echo({}, { timeoutMs: 0 })) };
    },
  });
  const client = echoClient(context, outer.port);
  await client.echo({});
  const { number } = await client.once({}, { timeoutMs: 20_000 });
  assert.ok(number > 0 && number <= 19_950, `${number} of 20,000 ms are left`);
  const own = await client.echo({}, { timeoutMs: 20_000 });
  assert.ok(own.number <= 10_000, "a time-out of its own is kept when it is shorter");
  for await (const { text } of client.count({})) assert.equal(text, "DEADLINE_EXCEEDED");
});

test("a call that cannot make it is refused at once, without the peer being asked", async (context) => {
  let asked = 0;
  const inner = await serveEcho(context, { echo: () => ({ number: ++asked }) });
  const onward = echoClient(context, inner.port);
  const outer = await serveEcho(context, { once: async () => ({ text: await reasonOf(onward.echo({})) }) });
  // Tries that came too late must not have it leave the peer alone.
  const client = echoClient(context, outer.port, { breaker: { minCalls: 1_000_000 } });
  await client.once({});
  assert.equal(asked, 1);
  // Less than the margin, and enough for the way there and back where nothing comes between.
  const inTime = () =>
    client.once({}, { timeoutMs: 45 }).then(
      (answer) => answer.text,
      () => undefined,
    );
  assert.equal(await until("an answer in time", inTime), "DEADLINE_EXCEEDED");
  assert.equal(asked, 1);
});

test("a canceled call reaches the handler, of unary calls and of streams that are left early", async (context) => {
  const reasons: Promise<unknown>[] = [];
  const entered = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const finalized = Promise.withResolvers<void>();
  const { port } = await serveEcho(context, {
    async once(_, { signal }) {
      reasons.push(aborted(signal));
      entered[0]?.resolve();
      await reasons[0];
      return {};
    },
    async *watch(_, { signal }) {
      reasons.push(aborted(signal));
      try {
        yield {};
        entered[1]?.resolve();
        await reasons[1];
      } finally {
        finalized.resolve();
      }
    },
  });
  const client = echoClient(context, port);
  const aborter = new AbortController();
  const call = reasonOf(client.once({}, { signal: aborter.signal }));
  await entered[0]?.promise;
  aborter.abort(new FerryError("CANCELED", "no longer wanted"));
  assert.equal(await call, "CANCELED");
  assert.equal(reasonIn(await reasons[0]), "CANCELED");
  for await (const _ of client.watch({})) break;
  await finalized.promise;
  assert.equal(reasonIn(await reasons[1]), "CANCELED");
  assert.equal(
    await reasonOf(client.once({}, { signal: AbortSignal.abort(new FerryError("EXPIRED", "late")) })),
    "EXPIRED",
  );
});

test("a stream that its caller gives up in the turn in which it asked for it is never opened", async (context) => {
  let begun = 0;
  const { port } = await serveEcho(context, {
    once: () => ({}),
    async *count() {
      begun++;
      yield {};
    },
  });
  const client = echoClient(context, port);
  await client.once({}); // There is a connection that it could be sent on.
  const aborter = new AbortController();
  const stream = client.count({}, { signal: aborter.signal });
  aborter.abort(new FerryError("CANCELED", "no longer wanted"));
  assert.equal(await reasonOf(stream), "CANCELED");
  await client.once({}); // What was sent before it has been taken by now.
  assert.equal(begun, 0);
});

test("a call that ends well aborts its signal too, so that what hangs on it is let go", async (context) => {
  const told = Promise.withResolvers<unknown>();
  const { port } = await serveEcho(context, {
    echo(_, { signal }) {
      void aborted(signal).then(told.resolve);
      return {};
    },
  });
  await echoClient(context, port).echo({});
  assert.match(String(await told.promise), /the call is over/);
});

test("request id and trace go with a call, are made anew where absent, and sampled hops are logged", async (context) => {
  const lines: Line[] = [];
  const seen: { requestId?: string; traceparent?: string }[] = [];
  const { port } = await serveEcho(
    context,
    {
      echo() {
        seen.push(currentContext());
        return {};
      },
      once() {
        throw new FerryError("NOT_FOUND", "nothing");
      },
    },
    { logger: keepingLogger(lines) },
  );
  const client = echoClient(context, port);
  const traceparent = newTraceparent(true);
  await runInContext({ requestId: "r-7", traceparent }, () => client.echo({}));
  await runInContext({ requestId: "r-7", traceparent }, () => reasonOf(client.once({})));
  await client.echo({}, { headers: { "x-request-id": "spaces are refused", traceparent: "00-nonsense" } });
  assert.deepEqual([seen[0]?.requestId, seen[0]?.traceparent], ["r-7", traceparent]);
  assert.match(seen[1]?.requestId ?? "", /^[0-9a-f-]{36}$/);
  assert.notEqual(traceIdOf(seen[1]?.traceparent), undefined);
  const hops = lines.filter(({ level }) => level === "hop").map(({ message, fields }) => `${message} ${fields.code}`);
  assert.deepEqual(hops, ["/ferry.test.v1.EchoService/Echo OK", "/ferry.test.v1.EchoService/Once NOT_FOUND"]);
});
