import assert from "node:assert/strict";
import { test } from "node:test";
import { etagOf, isKnown } from "./etag.ts";
import { createHarness, MEMBER_ID } from "./testing/harness.ts";

test("a tag is the data's, and is found in a list, weak or not", () => {
  const etag = etagOf('{"a":1}');
  assert.equal(etag, etagOf('{"a":1}'));
  assert.notEqual(etag, etagOf('{"a":2}'));
  assert.match(etag, /^W\/"[\w-]{22}"$/);
  for (const known of [etag, etag.slice(2), `"x", ${etag}`, "*"]) assert.ok(isKnown(known, etag), known);
  for (const other of ['"x"', 'W/"x", "y"', "", etag.slice(3, -1)]) assert.ok(!isKnown(other, etag), other);
});

test("a read has a tag, and a client that knows it gets 304 without a body until the data changes", async () => {
  let memo = "first";
  const { app, bearer } = await createHarness({
    answers: { GetTransfer: () => ({ transfer: { id: MEMBER_ID, memo } }), CreateTransfer: () => ({ transfer: {} }) },
  });
  const get = (headers: Record<string, string> = {}, method: "GET" | "HEAD" = "GET") =>
    app.inject({ method, url: `/v1/transfers/${MEMBER_ID}`, headers: { authorization: bearer(), ...headers } });
  const first = await get();
  const etag = String(first.headers.etag);
  assert.equal(first.statusCode, 200);
  const known = await get({ "if-none-match": etag });
  assert.deepEqual([known.statusCode, known.body, known.headers.etag], [304, "", etag]);
  assert.equal(known.headers["content-type"], undefined);
  assert.ok(known.headers["x-request-id"]);
  assert.equal((await get({ "if-none-match": etag }, "HEAD")).statusCode, 304);
  memo = "second";
  const changed = await get({ "if-none-match": etag });
  assert.equal(changed.statusCode, 200);
  assert.notEqual(changed.headers.etag, etag);
  assert.equal(changed.json().data.transfer.memo, "second");
});

test("writes and errors have no tag", async () => {
  const { app, bearer } = await createHarness();
  const headers = { authorization: bearer() };
  const write = await app.inject({ method: "POST", url: "/v1/accounts", headers, payload: { currency: "EUR" } });
  assert.deepEqual([write.statusCode, write.headers.etag], [201, undefined]);
  const missing = await app.inject({ url: "/v1/nothing", headers: { ...headers, "if-none-match": "*" } });
  assert.deepEqual([missing.statusCode, missing.headers.etag], [404, undefined]);
});
