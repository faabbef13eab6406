import assert from "node:assert/strict";
import { test } from "node:test";
import { promisify } from "node:util";
import { gunzip, gzipSync } from "node:zlib";
import { createHarness, TRANSFER } from "./testing/harness.ts";

test("whatever is not exposed is 404, a wrong verb is 405 with Allow, all in the envelope", async () => {
  const { app, seen } = await createHarness();
  const cases: [method: string, url: string, status: number, allow?: string][] = [
    ["GET", "/", 404],
    ["GET", "/v1/nothing", 404],
    ["GET", "/v1/transfers/", 404],
    ["POST", "/ferry.ledger.v1.LedgerService/PlaceHold", 404],
    ["POST", "/ferry.member.v1.MemberService/BatchGetMemberStates", 404],
    ["GET", "/docs/nothing", 404],
    ["DELETE", "/v1/transfers", 405, "GET, HEAD, OPTIONS, POST"],
    ["PROPFIND", "/v1/transfers", 405, "GET, HEAD, OPTIONS, POST"],
    ["GET", "/v1/transfers/x:cancel", 405, "OPTIONS, POST"],
    ["GET", "/v1/sessions:refresh", 405, "OPTIONS, POST"],
    ["POST", "/livez", 405, "GET, HEAD, OPTIONS"],
    ["GET", "/v1/transfers/%zz", 400],
    ["GET", "/v1/transfers/%ff", 400],
  ];
  for (const [method, url, status, allow] of cases) {
    const answer = await app.inject({ method: method as "GET", url });
    assert.equal(answer.statusCode, status, `${method} ${url}: ${answer.body}`);
    assert.equal(answer.headers.allow, allow, `${method} ${url}`);
    const { error, meta } = answer.json();
    assert.equal(error.status, status);
    assert.equal(meta.requestId, answer.headers["x-request-id"]);
  }
  const options = await app.inject({ method: "OPTIONS", url: "/v1/transfers" });
  assert.equal(options.statusCode, 204);
  assert.equal(options.headers.allow, "GET, HEAD, OPTIONS, POST");
  assert.equal(seen.length, 0);
});

test("a long path and a long query are answered like any other", async () => {
  const { app, bearer } = await createHarness();
  const answer = await app.inject({
    url: `/v1/transfers/${"x".repeat(4_000)}?a=${"y".repeat(4_000)}`,
    headers: { authorization: bearer() },
  });
  assert.equal(answer.statusCode, 400);
  assert.equal(answer.json().error.details[0].field, "a");
});

test("bodies of another kind are 415, too large ones 413, unwanted ones 400", async () => {
  const { app, seen, bearer } = await createHarness({ limits: { maxBodyBytes: 1_024 } });
  const authorization = bearer();
  const text = JSON.stringify(TRANSFER);
  const send = (headers: Record<string, string | undefined>, payload: string | Buffer) =>
    app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { authorization, "idempotency-key": "k", ...headers },
      payload,
    });
  for (const type of [undefined, "text/plain", "application/xml", "application/json; charset=latin1", "json", ";"]) {
    const answer = await send({ "content-type": type }, text);
    assert.equal(answer.statusCode, 415, `${type}: ${answer.body}`);
    assert.equal(answer.json().error.code, "MEDIA_TYPE_UNSUPPORTED");
  }
  const packed = await send({ "content-type": "application/json", "content-encoding": "br" }, gzipSync(text));
  assert.equal(packed.statusCode, 415);
  assert.equal(packed.headers["accept-encoding"], "gzip, identity");
  const large = await send({ "content-type": "application/json" }, `{"memo":"${"x".repeat(2_000)}"}`);
  assert.equal(large.statusCode, 413);
  assert.equal(large.json().error.code, "BODY_TOO_LARGE");
  assert.equal(seen.length, 0);
  const conditional = await send({ "content-type": "application/json", "if-match": "*" }, text);
  assert.equal(conditional.statusCode, 400);
  assert.equal(seen.length, 0);
  const fine = await send(
    { "content-type": 'Application/JSON; charset="UTF-8"', "content-encoding": "identity" },
    text,
  );
  assert.equal(fine.statusCode, 201, fine.body);
  const unwanted = await app.inject({
    url: "/v1/transfers",
    headers: { authorization, "content-length": "2", "content-type": "application/json" },
    payload: "{}",
  });
  assert.equal(unwanted.statusCode, 400);
});

test("a coding of no body is nothing to unpack", async () => {
  const { app, bearer } = await createHarness();
  const headers = { authorization: bearer(), "content-encoding": "gzip" };
  const cases = [["GET", "/v1/transfers", 200] as const, ["POST", "/v1/members", 400] as const];
  for (const [method, url, status] of cases) {
    const answer = await app.inject({ method, url, headers });
    assert.equal(answer.statusCode, status, `${method} ${url}: ${answer.body}`);
    // What would be unpacked is unpacked aside, and what fails there, with nobody to hear of it, fails after the answer.
    for (let round = 0; round < 8; round++) await promisify(gunzip)(gzipSync("x"));
  }
});

test("a body may come as gzip, and its limit is that of what it unpacks to", async () => {
  const { app, seen, bearer } = await createHarness({ limits: { maxBodyBytes: 4_096 } });
  const send = (payload: Buffer, headers: Record<string, string> = {}) =>
    app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: {
        ...{ authorization: bearer(), "idempotency-key": "k", "content-type": "application/json" },
        ...{ "content-encoding": "gzip", ...headers },
      },
      payload,
    });
  const zipped = gzipSync(JSON.stringify(TRANSFER));
  const answer = await send(zipped);
  assert.equal(answer.statusCode, 201, answer.body);
  assert.equal((seen[0]!.request as { memo: string }).memo, "tea");
  const bomb = await send(gzipSync(Buffer.alloc(4_000_000, " ")));
  assert.equal(bomb.statusCode, 413, bomb.body);
  assert.equal(bomb.json().error.code, "BODY_TOO_LARGE");
  for (const [what, broken] of Object.entries({
    text: Buffer.from(JSON.stringify(TRANSFER)),
    short: zipped.subarray(0, -9),
    empty: Buffer.alloc(0),
  })) {
    const refused = await send(broken);
    assert.equal(refused.statusCode, 400, `${what}: ${refused.body}`);
  }
  assert.equal((await send(gzipSync(zipped))).statusCode, 400, "it is unpacked once");
  assert.equal((await send(zipped, { "content-encoding": "gzip, gzip" })).statusCode, 415);
  assert.equal(seen.length, 1);
});

test("the rate limit counts members and addresses apart, by class, and says when to come back", async () => {
  const { app, bearer } = await createHarness({ limits: { rateRead: 2, rateWrite: 1, rateLogin: 1 } });
  const read = (authorization?: string) =>
    app.inject({ url: "/v1/transfers", headers: authorization === undefined ? {} : { authorization } });
  const mine = bearer();
  assert.deepEqual([(await read(mine)).statusCode, (await read(mine)).statusCode], [200, 200]);
  const limited = await read(mine);
  assert.equal(limited.statusCode, 429);
  assert.equal(limited.json().error.code, "RATE_LIMITED");
  assert.equal(limited.json().error.retryable, true);
  assert.match(String(limited.headers["retry-after"]), /^([1-9]|[1-5][0-9]|60)$/);
  assert.equal(limited.headers["ratelimit-policy"], '"read";q=2;w=60');
  assert.match(String(limited.headers.ratelimit), /^"read";r=0;t=([1-9]|[1-5][0-9]|60)$/);

  const other = bearer("member", "0190b2c4-0000-7000-8000-000000000002");
  assert.equal((await read(other)).statusCode, 200);
  assert.deepEqual([(await read()).statusCode, (await read()).statusCode, (await read()).statusCode], [401, 401, 429]);

  const logIn = () => app.inject({ method: "POST", url: "/v1/sessions", payload: { email: "a@b.c", password: "x" } });
  assert.deepEqual([(await logIn()).statusCode, (await logIn()).statusCode], [201, 429]);
});

test("an address has a limit of its own, whoever is logged in there, which no probe is charged to", async () => {
  const { app, bearer } = await createHarness({ limits: { rateAddress: 3 } });
  const members = [1, 2, 3, 4].map((digit) => bearer("member", `0190b2c4-0000-7000-8000-00000000000${digit}`));
  const from = (remoteAddress: string, authorization: string) =>
    app.inject({ url: "/v1/transfers", headers: { authorization }, remoteAddress });
  const statuses = [];
  for (const member of members) statuses.push((await from("192.0.2.1", member)).statusCode);
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  assert.equal((await app.inject({ url: "/readyz", remoteAddress: "192.0.2.1" })).statusCode, 200);
  const other = await from("192.0.2.2", members[0]!);
  assert.equal(other.headers.ratelimit, '"address";r=2;t=60');
  for (const digit of [1, 2, 3]) assert.equal((await from(`2001:db8::${digit}`, members[0]!)).statusCode, 200);
  assert.equal((await from("2001:db8:0:0:ffff::9", members[0]!)).statusCode, 429, "one network of a host");
  assert.equal((await from("2001:db8:0:1::1", members[0]!)).statusCode, 200);
});

test("every read can be asked for by HEAD, and has a tag", async () => {
  const { app, bearer } = await createHarness();
  const headers = { authorization: bearer() };
  const read = await app.inject({ url: "/v1/transfers", headers });
  const head = await app.inject({ method: "HEAD", url: "/v1/transfers", headers });
  assert.equal(head.statusCode, 200);
  assert.equal(head.body, "");
  assert.deepEqual(
    [head.headers.etag, head.headers["content-type"]],
    [read.headers.etag, read.headers["content-type"]],
  );
  for (const url of ["/livez", "/readyz", "/version", "/.well-known/jwks.json"]) {
    assert.equal((await app.inject({ method: "HEAD", url })).statusCode, 200, url);
    const options = await app.inject({ method: "OPTIONS", url });
    assert.deepEqual([options.statusCode, options.headers.allow], [204, "GET, HEAD, OPTIONS"], url);
  }
});

test("more requests at once than allowed are shed early, and room is there again afterwards", async () => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const { app, bearer } = await createHarness({
    limits: { maxInFlight: 1 },
    answers: {
      ListTransfers: async () => {
        entered.resolve();
        await gate.promise;
        return {};
      },
    },
  });
  const headers = { authorization: bearer() };
  const first = app.inject({ url: "/v1/transfers", headers });
  const running = first.then((answer) => answer.statusCode);
  await entered.promise;
  const shed = await app.inject({ url: "/v1/accounts", headers });
  assert.equal(shed.statusCode, 503);
  assert.equal(shed.json().error.code, "OVERLOADED");
  assert.equal(shed.headers["retry-after"], "1");
  const costly = { authorization: "Bearer to-be-verified", "content-type": "application/json" };
  const early = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: costly,
    payload: "x".repeat(100_000),
  });
  assert.equal(early.statusCode, 503, "before the token (401) and the body (413) are looked at");
  assert.equal((await app.inject("/livez")).statusCode, 200);
  gate.resolve();
  assert.equal(await running, 200);
  assert.equal((await app.inject({ url: "/v1/accounts", headers })).statusCode, 200);
});

test("only listed origins may read answers", async () => {
  const { app } = await createHarness({ options: { corsOrigins: ["https://app.example"] } });
  const preflight = (origin: string) =>
    app.inject({
      method: "OPTIONS",
      url: "/v1/transfers",
      headers: { origin, "access-control-request-method": "POST" },
    });
  const allowed = await preflight("https://app.example");
  assert.equal(allowed.statusCode, 204);
  assert.equal(allowed.headers["access-control-allow-origin"], "https://app.example");
  assert.match(String(allowed.headers["access-control-allow-headers"]), /idempotency-key/);
  assert.equal(allowed.headers.allow, "GET, HEAD, OPTIONS, POST");
  assert.equal((await preflight("https://evil.example")).headers["access-control-allow-origin"], undefined);
  assert.equal((await app.inject({ method: "OPTIONS", url: "/v1/nothing" })).statusCode, 404);
  const failure = await app.inject({ url: "/v1/transfers", headers: { origin: "https://app.example" } });
  assert.equal(failure.statusCode, 401);
  assert.equal(failure.headers["access-control-allow-origin"], "https://app.example");

  const closed = await createHarness();
  const none = await closed.app.inject({ url: "/livez", headers: { origin: "https://app.example" } });
  assert.equal(none.headers["access-control-allow-origin"], undefined);
  assert.match(String(none.headers["content-security-policy"]), /default-src 'none'/);
});

test("the plain routes tell health, versions and keys without the envelope", async () => {
  const { app, components } = await createHarness({
    answers: { GetBuild: () => ({ version: "9.9.9", commit: "abc", buildTime: "now" }) },
  });
  assert.deepEqual((await app.inject("/livez")).json(), { status: "ok" });
  assert.deepEqual((await app.inject("/readyz")).json(), { status: "ok", reasons: [] });
  const version = (await app.inject("/version")).json();
  assert.equal(version.version, "0.0.1");
  assert.deepEqual(version.services.ledger, { version: "9.9.9", commit: "abc", buildTime: "now" });
  const { keys } = (await app.inject("/.well-known/jwks.json")).json();
  assert.equal(keys.length, 1);
  assert.deepEqual([keys[0].kid, keys[0].alg, "d" in keys[0]], ["k1", "ES256", false]);
  await components[0]!.stop?.();
  assert.equal(components[0]!.unready?.(), "stopping");
});

test("readiness says which service has no connection, and not where it was looked for", async () => {
  const { backends } = await createHarness();
  const away = backends.map((one) => ({ ...one, unready: () => `no connection to ${one.name} (10.0.0.5:9102)` }));
  const { app } = await createHarness({ backendsOf: async () => away });
  const answer = await app.inject("/readyz");
  assert.equal(answer.statusCode, 503);
  assert.deepEqual(answer.json().reasons.slice(0, 2), ["member: no connection", "ledger: no connection"]);
  assert.doesNotMatch(answer.body, /10\.0\.0\.5/);
});

test("what a service has no room for is refused before anything of it is read, and others are served", async () => {
  const { backends } = await createHarness();
  const full = backends.map((one) => (one.name === "transfer" ? { ...one, isFull: () => true } : one));
  const { app, bearer } = await createHarness({ backendsOf: async () => full });
  const headers = { authorization: bearer() };
  const refused = await app.inject({ method: "POST", url: "/v1/transfers", headers, body: "no JSON" });
  assert.deepEqual([refused.statusCode, refused.json().error.code], [503, "OVERLOADED"]);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal((await app.inject({ url: "/v1/accounts", headers })).statusCode, 200);
});

test("a service that does not tell its version is named with its reason", async () => {
  const { app } = await createHarness({
    answers: {
      GetBuild: () => {
        throw new Error("secret");
      },
    },
  });
  assert.deepEqual((await app.inject("/version")).json().services.member, { error: "INTERNAL" });
});
