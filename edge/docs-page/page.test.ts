import assert from "node:assert/strict";
import { test } from "node:test";
import { createHarness } from "../testing/harness.ts";
import { docsPaths } from "./index.ts";

const { app } = await createHarness();

test("the page and all that it asks for come from the edge itself, under a policy that lets in nothing else", async () => {
  const page = await app.inject("/docs");
  assert.equal(page.statusCode, 200);
  assert.match(String(page.headers["content-type"]), /^text\/html/);
  const asked = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  assert.ok(asked.length >= 4);
  for (const path of asked.filter((one) => one !== "data:,")) {
    assert.ok(docsPaths.includes(path), path);
    const part = await app.inject(path);
    assert.equal(part.statusCode, 200, path);
    assert.match(String(part.headers["content-type"]), /^text\/(?:javascript|css)/, path);
    assert.equal(part.headers["x-content-type-options"], "nosniff", path);
  }
  const policy = String(page.headers["content-security-policy"]);
  assert.match(policy, /^default-src 'none';script-src 'self';/);
  assert.doesNotMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
  assert.doesNotMatch(page.body, /<script>|<style>|\son\w+=|style="/); // What the policy would not run.
});

test("other answers keep the policy that lets in nothing at all", async () => {
  const answer = await app.inject("/livez");
  assert.equal(answer.headers["content-security-policy"], "default-src 'none';frame-ancestors 'none'");
});

test("a part is not sent again to who has it, and has no other method", async () => {
  const first = await app.inject("/docs/swagger-ui.css");
  const again = await app.inject({
    url: "/docs/swagger-ui.css",
    headers: { "if-none-match": String(first.headers.etag) },
  });
  assert.equal(again.statusCode, 304);
  assert.equal(again.body, "");
  const packed = await app.inject({ url: "/docs/swagger-ui-bundle.js", headers: { "accept-encoding": "br" } });
  assert.equal(packed.headers["content-encoding"], "br");
  assert.ok(packed.rawPayload.length < 700_000, `${packed.rawPayload.length} bytes`);
  const posted = await app.inject({ url: "/docs", method: "POST" });
  assert.equal(posted.statusCode, 405);
  assert.equal(posted.json().error.code, "METHOD_NOT_ALLOWED");
});

test("switched off, neither page nor document is there, as if they had never been", async () => {
  const { app, bearer } = await createHarness({ options: { docs: "off" } });
  for (const path of ["/openapi.json", ...docsPaths])
    for (const method of ["GET", "HEAD", "POST", "OPTIONS"] as const) {
      const answer = await app.inject({ url: path, method });
      assert.equal(answer.statusCode, 404, `${method} ${path}`);
      assert.equal(answer.headers.allow, undefined);
      if (method !== "HEAD") assert.equal(answer.json().error.code, "ROUTE_NOT_FOUND");
    }
  assert.equal((await app.inject("/livez")).statusCode, 200);
  const answer = await app.inject({ url: "/v1/transfers", headers: { authorization: bearer() } });
  assert.equal(answer.statusCode, 200);
});
