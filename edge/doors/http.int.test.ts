import assert from "node:assert/strict";
import { test } from "node:test";
import { hasOption } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { http as httpOption } from "@ferry/gen/google/api/annotations_pb.ts";
import { getPolicy } from "@ferry/platform/rpc";
import { exposedServices } from "../backends.ts";
import { createHarness, MEMBER_ID, TRANSFER } from "../testing/harness.ts";
import { ORIGIN } from "./testing/client.ts";

const CREATE = "/ferry.transfer.v1.TransferService/CreateTransfer";
const LIST = "/ferry.transfer.v1.TransferService/ListTransfers";

/** The edge in memory, as HTTP sees it. */
async function edge() {
  const harness = await createHarness({ options: { doors: ["connect", "grpc-web"], corsOrigins: [ORIGIN] } });
  const headers = { authorization: harness.bearer(), "idempotency-key": "k", "content-type": "application/json" };
  const post = (payload: string | Buffer, more: Record<string, string> = {}, url = CREATE) =>
    harness.app.inject({ method: "POST", url, headers: { ...headers, ...more }, payload });
  return { ...harness, headers, post };
}

const amounting = (minorUnits: string) =>
  JSON.stringify({ ...TRANSFER, amount: null }).replace("null", `{"currency":"EUR","minorUnits":${minorUnits}}`);

test("JSON is read by the edge's rules: exact, each name once, no name that is not known", async () => {
  const { post, seen } = await edge();
  for (const [text, field] of [
    [amounting("9007199254740993"), "amount.minorUnits"],
    [amounting('"1e2"'), "amount.minorUnits"],
    [amounting('"9223372036854775808"'), "amount.minorUnits"],
    [amounting("true"), "amount.minorUnits"],
    [JSON.stringify({ ...TRANSFER, memberId: MEMBER_ID }), "memberId"],
    [JSON.stringify(TRANSFER).replace("{", '{"memo":"a",'), "memo"],
    [JSON.stringify({ ...TRANSFER, memo: "a\0b" }), "memo"],
  ] as const) {
    const answer = await post(text);
    assert.equal(answer.statusCode, 400, text);
    assert.equal(answer.json().code, "invalid_argument");
    const detail = answer.json().details.find(({ type }: { type: string }) => type === "google.rpc.BadRequest");
    assert.match(Buffer.from(detail.value, "base64").toString(), new RegExp(field), text);
  }
  for (const text of ["", "[]", "{", '{"a":'.repeat(5_000), "\xff"])
    assert.equal((await post(text)).statusCode, 400, text);
  assert.equal(seen.length, 0);
  const exact = await post(amounting('"9007199254740993"'));
  assert.equal(exact.statusCode, 200);
  assert.equal((seen[0]!.request as { amount: { minorUnits: bigint } }).amount.minorUnits, 9_007_199_254_740_993n);
});

test("JSON in frames is read by the same rules", async () => {
  const { post, seen } = await edge();
  const type = { "content-type": "application/grpc-web+json" };
  const framed = (text: string, flags = 0) => Buffer.from(encodeEnvelope(flags, Buffer.from(text)));
  for (const payload of [
    framed(amounting("9007199254740993")),
    framed(JSON.stringify({ ...TRANSFER, memberId: MEMBER_ID })),
    framed(amounting('"1"')).subarray(0, -1),
    Buffer.alloc(3),
  ]) {
    const answer = await post(payload, type);
    assert.equal(answer.statusCode, 200);
    assert.match(answer.body, /grpc-status: 3\r/);
  }
  assert.equal(seen.length, 0);
  assert.match((await post(framed(amounting('"1"')), type)).body, /grpc-status: 0/);
});

test("no rpc answers without a token but the public ones", async () => {
  const { app } = await edge();
  const rpcs = exposedServices.flatMap(({ service }) => service.methods).filter((rpc) => hasOption(rpc, httpOption));
  assert.ok(rpcs.length > 40);
  for (const rpc of rpcs) {
    const url = `/${rpc.parent.typeName}/${rpc.name}`;
    const type = rpc.methodKind === "unary" ? "application/json" : "application/connect+json";
    const { statusCode, body } = await app.inject({
      method: "POST",
      url,
      headers: { "content-type": type },
      payload: "",
    });
    const refused = statusCode === 401 || /"unauthenticated"/.test(body);
    assert.equal(refused, getPolicy(rpc).auth !== "public", url);
  }
});

test("JSON answers show defaults, and no envelope of the edge's own", async () => {
  const { post } = await edge();
  const answer = await post("{}", {}, LIST);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.deepEqual(answer.json(), { transfers: [], nextPageToken: "" });
});

test("errors have the protocol's status and JSON, with the headers that belong to them", async () => {
  const { app, post } = await edge();
  const answer = await post("{}", { authorization: "Bearer x" });
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.json().code, "unauthenticated");
  assert.match(String(answer.headers["www-authenticate"]), /^Bearer/);
  assert.ok(answer.headers["x-request-id"]);
  const noBody = await app.inject({ method: "POST", url: CREATE, headers: { "content-type": "application/proto" } });
  assert.equal(noBody.statusCode, 401);
});

test("other methods and content types are told what there is, in the envelope", async () => {
  const { app, headers, post } = await edge();
  for (const method of ["GET", "PUT", "DELETE", "HEAD"] as const) {
    const answer = await app.inject({ method, url: CREATE, headers });
    assert.equal(answer.statusCode, 405, method);
    assert.equal(answer.headers.allow, "OPTIONS, POST");
    if (method !== "HEAD") assert.equal(answer.json().error.code, "METHOD_NOT_ALLOWED");
  }
  for (const type of ["text/plain", "application/grpc-web-text", "application/grpc", "application/connect+json"]) {
    const answer = await post("{}", { "content-type": type });
    assert.equal(answer.statusCode, 415, type);
    assert.match(answer.json().error.message, /application\/proto, application\/json, application\/grpc-web\+proto/);
  }
  const options = await app.inject({ method: "OPTIONS", url: CREATE });
  assert.deepEqual([options.statusCode, options.headers.allow], [204, "OPTIONS, POST"]);
  const none = await app.inject({ method: "POST", url: CREATE, headers: { ...headers, "content-type": "" } });
  assert.equal(none.statusCode, 415);
  const packed = await post("x", { "content-encoding": "br" });
  assert.deepEqual([packed.statusCode, packed.json().code], [501, "unimplemented"]);
});

test("pages of a listed origin may call, send what the protocols need and read what they tell", async () => {
  const { app, post } = await edge();
  const preflight = (origin: string) =>
    app.inject({
      method: "OPTIONS",
      url: CREATE,
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,connect-protocol-version",
      },
    });
  const { statusCode, headers } = await preflight(ORIGIN);
  assert.equal(statusCode, 204);
  assert.equal(headers["access-control-allow-origin"], ORIGIN);
  const allowed = String(headers["access-control-allow-headers"]).toLowerCase().split(/, ?/);
  for (const name of ["authorization", "idempotency-key", "connect-protocol-version", "connect-timeout-ms"])
    assert.ok(allowed.includes(name), name);
  for (const name of ["grpc-timeout", "x-grpc-web", "x-user-agent"]) assert.ok(allowed.includes(name), name);
  assert.notEqual(
    (await preflight("https://evil.example")).headers["access-control-allow-origin"],
    "https://evil.example",
  );
  const answer = await post(JSON.stringify(TRANSFER), { origin: ORIGIN });
  assert.equal(answer.statusCode, 200);
  const exposed = String(answer.headers["access-control-expose-headers"]).toLowerCase();
  for (const name of ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"])
    assert.ok(exposed.includes(name), name);
});
