import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { fastify } from "fastify";
import { documentHandler } from "./documents.ts";

const LONG = "x".repeat(10_000);

/** An app with one document, and what it handed to the wire. */
function serving(make: () => Promise<string> | string) {
  const app = fastify();
  const sent: unknown[] = [];
  app.addHook("onSend", (_request, _reply, payload, done) => {
    sent.push(payload);
    done(null, payload);
  });
  app.get("/", documentHandler({ type: "text/plain; charset=utf-8", headers: { "cache-control": "public" }, make }));
  const get = (headers: Record<string, string> = {}) => app.inject({ url: "/", headers });
  return { get, sent };
}

test("a document is made once and packed once for each coding, however often it is asked for", async () => {
  let made = 0;
  const { get, sent } = serving(() => {
    made++;
    return LONG;
  });
  const plain = await get();
  assert.equal(plain.body, LONG);
  assert.deepEqual([plain.headers.vary, plain.headers["cache-control"]], ["accept-encoding", "public"]);
  for (const [coding, unpack] of [["br", brotliDecompressSync] as const, ["gzip", gunzipSync] as const]) {
    const [first] = await Promise.all([get({ "accept-encoding": coding }), get({ "accept-encoding": coding })]);
    assert.equal(first.headers["content-encoding"], coding);
    assert.equal(first.headers["content-length"], String(first.rawPayload.length));
    assert.equal(unpack(first.rawPayload).toString(), LONG);
    assert.equal(sent.at(-1), sent.at(-2), "the same bytes");
  }
  const again = await get({ "if-none-match": String(plain.headers.etag), "accept-encoding": "br" });
  assert.deepEqual([again.statusCode, again.body], [304, ""]);
  assert.equal(made, 1);
});

test("a small one goes as it is, and one that could not be made is made by who asks next", async () => {
  const small = await serving(() => "x").get({ "accept-encoding": "gzip" });
  assert.deepEqual([small.body, small.headers["content-encoding"], small.headers.vary], ["x", undefined, undefined]);
  let tried = 0;
  const { get } = serving(async () => {
    if (tried++ === 0) throw new Error("not yet");
    return LONG;
  });
  assert.equal((await get()).statusCode, 500);
  assert.equal((await get()).statusCode, 200);
});
