import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { AuditService } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { codingOf, hasSecret } from "./compression.ts";
import { createHarness } from "./testing/harness.ts";

const transfers = Array.from({ length: 60 }, (_, index) => ({ id: `0190b2c4-0000-7000-8000-${index}`, memo: "tea" }));

test("a coding is chosen by the client's weights, brotli before gzip", () => {
  const cases: [header: string, coding: string | undefined][] = [
    ["gzip, deflate, br, zstd", "br"],
    ["gzip", "gzip"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["br;q=0, gzip;q=0.001", "gzip"],
    ["*", "br"],
    ["*;q=0.1, br;q=0", "gzip"],
    ["identity", undefined],
    ["gzip;q=0", undefined],
    ["", undefined],
    ["gzip;q=nonsense", undefined],
    [" GZIP ; Q = 0.5 , br;q=0.4 ", "gzip"],
  ];
  for (const [header, coding] of cases) assert.equal(codingOf(header), coding, header);
});

test("a header of spaces is read in a time that grows with its length alone", () => {
  const spaces = " ".repeat(500_000);
  const startedMs = performance.now();
  for (const header of [`gzip${spaces}x`, `gzip${spaces};${spaces}x`, `gzip;q${spaces}=${spaces}x`])
    assert.equal(codingOf(header), undefined);
  assert.ok(performance.now() - startedMs < 5_000, "a squared length would take minutes");
});

test("a large answer to a read is compressed as the client takes it, and says what it depends on", async () => {
  const { app, bearer } = await createHarness({ answers: { ListTransfers: () => ({ transfers }) } });
  const get = (encoding?: string) =>
    app.inject({
      url: "/v1/transfers",
      headers: { authorization: bearer(), ...(encoding === undefined ? {} : { "accept-encoding": encoding }) },
    });
  const plain = await get();
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(plain.headers.vary, "accept-encoding");
  const zipped = await get("gzip");
  assert.equal(zipped.headers["content-encoding"], "gzip");
  assert.equal(zipped.headers["content-length"], String(zipped.rawPayload.length));
  assert.ok(zipped.rawPayload.length < plain.rawPayload.length / 4);
  assert.deepEqual(JSON.parse(gunzipSync(zipped.rawPayload).toString()).data, plain.json().data);
  assert.equal(zipped.headers.etag, plain.headers.etag);
  const packed = await get("br");
  assert.deepEqual(JSON.parse(brotliDecompressSync(packed.rawPayload).toString()).data, plain.json().data);
});

test("a very large answer is compressed aside", async () => {
  const many = Array.from({ length: 40 }, () => transfers).flat();
  const { app, bearer } = await createHarness({ answers: { ListTransfers: () => ({ transfers: many }) } });
  for (const [encoding, unpack] of [["gzip", gunzipSync] as const, ["br", brotliDecompressSync] as const]) {
    const answer = await app.inject({
      url: "/v1/transfers",
      headers: { authorization: bearer(), "accept-encoding": encoding },
    });
    assert.equal(JSON.parse(unpack(answer.rawPayload).toString()).data.transfers.length, 2_400);
  }
});

test("small answers, answers to changes and answers with secrets go as they are", async () => {
  const long = "x".repeat(4_000);
  const { app, bearer } = await createHarness({
    answers: {
      CreateSession: () => ({ accessToken: long, refreshToken: long }),
      CreateTransfer: () => ({ transfer: { memo: long } }),
    },
  });
  const headers = { authorization: bearer(), "accept-encoding": "gzip", "idempotency-key": "k" };
  const payload = { email: "a@b.example", password: "correct horse" };
  const tokens = await app.inject({ method: "POST", url: "/v1/sessions", headers, payload });
  assert.equal(tokens.statusCode, 201, tokens.body);
  assert.ok(tokens.body.length > 8_000);
  const small = await app.inject({ url: "/v1/transfers", headers });
  for (const answer of [tokens, small]) assert.equal(answer.headers["content-encoding"], undefined);
  assert.equal(hasSecret(MemberService.method.createSession.output), true);
  assert.equal(hasSecret(AuditService.method.getAudit.output), false);
});
