// Every route with every way in which an HTTP request can be wrong: the envelope, the right status, nothing called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { METADATA } from "@ferry/platform/rpc";
import { bodyLimitOf } from "../../edge/body-limit.ts";
import { assertRefused, nameOf, openEdge, refusalOf, render, send, type TestEdge } from "./support/edge.ts";
import { httpClasses, requestOf } from "./support/http-classes.ts";
import { endlessSpaces, talk } from "./support/sockets.ts";

const MAX_BODY_BYTES = 65_536;

for (const one of httpClasses)
  test(`${one.what}: ${one.status} ${one.code}`, async () => {
    const edge = await opened;
    let tried = 0;
    for (const sample of edge.samples.filter(({ plan }) => one.when?.(plan) ?? true)) {
      const answer = await send(edge, sample.plan, requestOf(one, sample) as never);
      const fields = assertRefused(refusalOf(answer), one.status, one.code, nameOf(sample.plan));
      for (const field of one.fields ?? []) assert.ok(fields.includes(field), `${nameOf(sample.plan)}: ${answer.body}`);
      for (const [name, value] of Object.entries(one.headers ?? {})) assert.match(String(answer.headers[name]), value);
      tried++;
    }
    assert.ok(tried >= 5, `${tried} routes`);
    assert.deepEqual(edge.seen, []);
  });

const opened = openEdge();

test("a method that a path has not: 405, and Allow says which it has", async () => {
  const edge = await openEdge();
  for (const { plan, example } of edge.samples) {
    const { url } = render(plan, example);
    for (const method of ["PUT", "PATCH", "TRACE", "PROPFIND"]) {
      const authorization = edge.bearerFor(plan);
      const answer = await edge.app.inject({ method: method as "PUT", url, headers: { authorization } });
      assertRefused(refusalOf(answer), 405, "METHOD_NOT_ALLOWED", `${method} ${url}`);
      const allow = String(answer.headers.allow).split(", ");
      assert.ok(allow.includes(plan.route.httpMethod) && !allow.includes(method), `${method} ${url}: ${allow}`);
    }
  }
  assert.deepEqual(edge.seen, []);
});

/** What travels on, whatever the client says: the protocol behind adds those of its own. */
const OWN = /^(content-type|user-agent|connect-.*|accept.*)$/;
const ODD_HEADERS = {
  ...{ "x-ferry-client-address": "6.6.6.6", "x-ferry-client-agent": "me", "x-ferry-internal": "1", cookie: "a=b" },
  ...{ "grpc-timeout": "1n", "grpc-encoding": "gzip", "grpc-status": "0", "grpc-trace-bin": "AA", te: "trailers" },
  ...{
    "x-forwarded-for": "6.6.6.6",
    forwarded: "for=6.6.6.6",
    "x-real-ip": "6.6.6.6",
    "x-http-method-override": "PUT",
  },
  ...{ "x-request-id": "an id of another form", traceparent: "00-nonsense", prefer: "wait=forever, respond-async" },
};

test("internal headers of a client are dropped, ids of another form replaced, and bad preferences ignored", async () => {
  const edge = await openEdge();
  for (const { plan, example } of edge.samples) {
    const rendered = render(plan, example);
    const answer = await send(edge, plan, { ...rendered, headers: { ...rendered.headers, ...ODD_HEADERS } });
    assert.ok(answer.statusCode < 300, `${nameOf(plan)}: ${answer.body}`);
    assert.match(String(answer.headers["x-request-id"]), /^[\w.~-]{1,128}$/);
    assert.equal(answer.headers["preference-applied"], undefined);
    const calls = edge.seen.splice(0);
    assert.ok(calls.length > 0, nameOf(plan));
    const isPublic = plan.policy.auth === "public";
    const wanted = [
      ...(isPublic ? [METADATA.clientAddress] : ["authorization"]),
      ...(plan.policy.keyRequired ? ["idempotency-key"] : []),
      ...["traceparent", "x-request-id"],
    ];
    for (const { headers, timeoutMs } of calls) {
      const names = [...headers.keys()].filter((name) => !OWN.test(name) && name !== METADATA.clientAgent);
      assert.deepEqual(names.sort(), wanted.toSorted(), nameOf(plan));
      assert.match(headers.get("traceparent")!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
      if (isPublic) assert.equal(headers.get(METADATA.clientAddress), "127.0.0.1");
      assert.notEqual(headers.get(METADATA.clientAgent), "me");
      assert.ok(timeoutMs! > 1 && timeoutMs! <= plan.policy.deadlineMs, `${nameOf(plan)}: ${timeoutMs} ms`);
    }
  }
});

test("a wait beyond the contract's is cut down to it, and what is no wait is none", async () => {
  const edge = await openEdge();
  for (const { plan, example } of edge.samples)
    for (const prefer of ["wait=1000000000", "wait=999999", "wait=-1", "wait=1e9", "wait=", "wait"]) {
      const rendered = render(plan, example);
      const answer = await send(edge, plan, { ...rendered, headers: { ...rendered.headers, prefer } });
      assert.ok(answer.statusCode < 300, `${nameOf(plan)} ${prefer}: ${answer.body}`);
      const { deadlineMs, maxWaitMs } = plan.policy;
      const calls = edge.seen.splice(0);
      assert.ok(calls.length > 0, nameOf(plan));
      for (const { timeoutMs } of calls)
        assert.ok(timeoutMs! <= deadlineMs + maxWaitMs, `${nameOf(plan)} ${prefer}: ${timeoutMs} ms`);
    }
});

async function listening(): Promise<TestEdge> {
  const edge = await openEdge();
  await edge.components[0]!.start!();
  return edge;
}

test("over a socket: headers beyond 16 KB, methods that HTTP has not, and a key given twice", async (t) => {
  const edge = await listening();
  t.after(() => edge.components[0]!.stop!());
  let keys = 0;
  for (const { plan, example } of edge.samples) {
    const { method, url, headers, payload = "" } = render(plan, example);
    const say = (verb: string, ...lines: string[]) =>
      talk(edge.port(), [`${verb} ${url} HTTP/1.1`, "host: x", "connection: close", ...lines, "", ""].join("\r\n"));
    assertRefused(await say(method, `x-big: ${"a".repeat(17_000)}`), 431, "HEADERS_TOO_LARGE", nameOf(plan));
    const brewed = await say("BREW");
    assertRefused(brewed, 405, "METHOD_NOT_ALLOWED", nameOf(plan));
    assert.match(brewed.head, new RegExp(`^allow: .*\\b${method.toLowerCase()}\\b`, "m"));
    if (!plan.policy.keyRequired) continue;
    const lines = [`authorization: ${edge.bearerFor(plan)}`, `content-type: ${headers["content-type"]}`];
    const twice = await say(
      method,
      ...lines,
      "idempotency-key: a",
      "idempotency-key: a",
      `content-length: ${payload.length}`,
    );
    assertRefused(twice, 400, "IDEMPOTENCY_KEY_INVALID", nameOf(plan));
    keys++;
  }
  assert.ok(keys >= 4, `${keys} routes with a key`);
  assert.deepEqual(edge.seen, []);
});

test("over a socket: a body beyond the limit that does not say its length, and one that says two", async (t) => {
  const edge = await listening();
  t.after(() => edge.components[0]!.stop!());
  let tried = 0;
  for (const { plan, example } of edge.samples.filter(({ plan }) => plan.route.takesBody)) {
    const { method, url, headers } = render(plan, example);
    const authorization = edge.bearerFor(plan);
    const body = ReadableStream.from(endlessSpaces(bodyLimitOf(plan, MAX_BODY_BYTES) + 65_536));
    const request = { method, headers: { ...headers, authorization }, body, duplex: "half" };
    const answer = await fetch(`http://127.0.0.1:${edge.port()}${url}`, request as RequestInit);
    const contentType = answer.headers.get("content-type") ?? "";
    assertRefused(
      { status: answer.status, contentType, body: await answer.text() },
      413,
      "BODY_TOO_LARGE",
      nameOf(plan),
    );
    const lines = [`POST ${url} HTTP/1.1`, "host: x", "content-length: 2", "transfer-encoding: chunked"];
    const smuggled = await talk(
      edge.port(),
      [...lines, `authorization: ${authorization}`, "", "0", "", ""].join("\r\n"),
    );
    assertRefused(smuggled, 400, "INVALID_REQUEST", nameOf(plan));
    tried++;
  }
  assert.ok(tried >= 25, `${tried} routes`);
  assert.deepEqual(edge.seen, []);
});
