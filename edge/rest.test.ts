import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { ErrorInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { createHarness, MEMBER_ID, TRANSFER } from "./testing/harness.ts";

const key = { "idempotency-key": "k-1" };
const json = { "content-type": "application/json" };

test("a transfer goes through: status by state, envelope, and only the listed headers travel on", async () => {
  const { app, seen, bearer } = await createHarness();
  const traceparent = "00-11111111111111111111111111111111-2222222222222222-01";
  const answer = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: {
      ...key,
      ...json,
      authorization: bearer(),
      "x-request-id": "mine-1",
      traceparent,
      "x-ferry-member": "someone else",
      "grpc-timeout": "1n",
      "x-forwarded-for": "1.2.3.4",
      cookie: "a=b",
    },
    payload: JSON.stringify(TRANSFER),
  });
  assert.equal(answer.statusCode, 201, answer.body);
  const { data, meta } = answer.json();
  assert.equal(data.transfer.state, "TRANSFER_STATE_COMPLETED");
  assert.deepEqual(data.transfer.steps, []);
  assert.equal("replayed" in data, false);
  assert.deepEqual(meta, { requestId: "mine-1", traceId: "1".repeat(32) });
  assert.equal(answer.headers["x-request-id"], "mine-1");
  assert.equal(answer.headers["idempotency-replayed"], undefined);
  assert.equal(answer.headers["cache-control"], "no-store");

  const names = [...seen[0]!.headers.keys()].filter((name) => !/^(content-type|user-agent|connect-)/.test(name)).sort();
  assert.deepEqual(names, ["authorization", "idempotency-key", "traceparent", "x-request-id"]);
  assert.equal((seen[0]!.request as { amount: { minorUnits: bigint } }).amount.minorUnits, 2500n);
});

test("what is on its way is 202, a replay is 200 with its header", async () => {
  const transfer = { id: MEMBER_ID, state: TransferState.HELD };
  let replayed = false;
  const { app, bearer } = await createHarness({ answers: { CreateTransfer: () => ({ transfer, replayed }) } });
  const send = () =>
    app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { ...key, authorization: bearer() },
      payload: TRANSFER,
    });
  assert.equal((await send()).statusCode, 202);
  replayed = true;
  const again = await send();
  assert.equal(again.statusCode, 200);
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.equal("replayed" in again.json().data, false);
});

test("the answers of creating rpcs without a state are 201, reads are 200 with defaults shown", async () => {
  const { app, bearer } = await createHarness();
  const authorization = bearer();
  const made = await app.inject({
    method: "POST",
    url: "/v1/accounts",
    headers: { authorization },
    payload: { currency: "EUR" },
  });
  assert.equal(made.statusCode, 201);
  const listed = await app.inject({
    url: "/v1/transfers?state=TRANSFER_STATE_HELD&page_size=2",
    headers: { authorization },
  });
  assert.equal(listed.statusCode, 200);
  assert.deepEqual(listed.json().data, { transfers: [], nextPageToken: "" });
  const head = await app.inject({ method: "HEAD", url: "/v1/transfers", headers: { authorization } });
  assert.equal(head.statusCode, 200);
  assert.equal(head.body, "");
});

test("Prefer: wait lengthens the deadline, is capped, and is ignored when malformed", async () => {
  const { app, seen, bearer } = await createHarness();
  const send = (prefer: string) =>
    app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { ...key, authorization: bearer(), prefer },
      payload: TRANSFER,
    });
  const cases: [prefer: string, applied: string | undefined, timeoutMs: number][] = [
    ["wait=5", "wait=5", 10_000],
    ["return=minimal, wait=7; x=y", "wait=7", 12_000],
    ["wait=3000", "wait=30", 35_000],
    ["wait=0", undefined, 5_000],
    ["wait=-1", undefined, 5_000],
    ["wait=1e3", undefined, 5_000],
    ["wait", undefined, 5_000],
  ];
  for (const [prefer, applied, timeoutMs] of cases) {
    const answer = await send(prefer);
    assert.equal(answer.statusCode, 201, prefer);
    assert.equal(answer.headers["preference-applied"], applied, prefer);
    const call = seen.at(-1)!;
    assert.equal(call.headers.get("prefer"), applied ?? null, prefer);
    // What is left of it: less than another wait would make, however long the machine paused on the way.
    assert.ok(call.timeoutMs! <= timeoutMs && call.timeoutMs! > timeoutMs - 4_000, `${prefer}: ${call.timeoutMs}`);
  }
});

test("an idempotency key is demanded where the contract says so, and nothing goes on without a good one", async () => {
  const { app, seen, bearer } = await createHarness();
  const bad: (Record<string, string | string[]> | undefined)[] = [
    undefined,
    { "idempotency-key": "" },
    { "idempotency-key": "x".repeat(256) },
    { "idempotency-key": "caf\u00e9" },
    { "idempotency-key": "a\tb" },
    { "idempotency-key": ["a", "b"] },
  ];
  for (const headers of bad) {
    const answer = await app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { ...headers, authorization: bearer() },
      payload: TRANSFER,
    });
    assert.equal(answer.statusCode, 400, JSON.stringify(headers));
    assert.equal(answer.json().error.code, "IDEMPOTENCY_KEY_INVALID");
  }
  assert.equal(seen.length, 0);
  const longest = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: { "idempotency-key": "~".repeat(255), authorization: bearer() },
    payload: TRANSFER,
  });
  assert.equal(longest.statusCode, 201);
});

test("bad bodies are refused before any call, each with its field", async () => {
  const { app, seen, bearer } = await createHarness();
  const body = (amount: string) => JSON.stringify(TRANSFER).replace('{"currency":"EUR","minorUnits":"2500"}', amount);
  const money = (text: string) => body(`{"currency":"EUR","minorUnits":${text}}`);
  const cases: [payload: string | Buffer, field: string][] = [
    ...["0", "1e2", "NaN", "true", "null", "[5]", "5", "{}"].map((t): [string, string] => [
      money(t),
      "amount.minorUnits",
    ]),
    ...['"1e2"', '"1.5"', '""', '" 5"', '"9223372036854775808"', '"0x10"'].map((t): [string, string] => [
      money(t),
      "amount.minorUnits",
    ]),
    [money('"0"'), "amount"],
    [money('"-5"'), "amount"],
    [body('{"currency":"eur","minorUnits":"5"}'), "amount.currency"],
    [body('{"currency":"EUR","currency":"USD","minorUnits":"5"}'), "amount.currency"],
    [body('{"currency":"EUR","minorUnits":"5","minor_units":"6"}'), "amount.minorUnits"],
    [body("null"), "amount"],
    [JSON.stringify({ ...TRANSFER, memberId: MEMBER_ID }), "memberId"],
    [JSON.stringify({ ...TRANSFER, state: "TRANSFER_STATE_COMPLETED" }), "state"],
    [JSON.stringify({ ...TRANSFER, memo: "a\u0000b" }), "memo"],
    [JSON.stringify({ ...TRANSFER, memo: "\ud800" }), "memo"],
    [JSON.stringify({ ...TRANSFER, memo: "x".repeat(141) }), "memo"],
    [
      JSON.stringify({ ...TRANSFER, destination: { ...TRANSFER.destination, accountId: MEMBER_ID } }),
      "destination.accountId",
    ],
    [JSON.stringify({ ...TRANSFER, sourceAccountId: "1" }), "sourceAccountId"],
  ];
  for (const [payload, field] of cases) {
    const answer = await app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { ...key, ...json, authorization: bearer() },
      payload,
    });
    assert.equal(answer.statusCode, 400, `${payload}: ${answer.body}`);
    const { error, meta } = answer.json();
    assert.equal(error.code, "INVALID_REQUEST");
    if (String(payload).includes("NaN")) continue; // Not JSON at all, so no field can be named.
    assert.equal(error.details[0].field, field, `${payload}: ${answer.body}`);
    assert.ok(meta.requestId !== "" && meta.traceId.length === 32);
  }
  const whole = ["", "[]", "nul", '{"memo":"a"', `${'{"a":'.repeat(40)}1${"}".repeat(40)}`, "{}x", "\ufeff{}"];
  for (const payload of [...whole, Buffer.from([0x7b, 0xff, 0x7d])]) {
    const answer = await app.inject({
      method: "POST",
      url: "/v1/transfers",
      headers: { ...key, ...json, authorization: bearer() },
      payload,
    });
    assert.equal(answer.statusCode, 400, `${payload}: ${answer.body}`);
  }
  assert.equal(seen.length, 0);
});

test("an exact amount beyond what a double holds arrives exactly", async () => {
  const { app, seen, bearer } = await createHarness();
  const amount = { currency: "EUR", minorUnits: String(2n ** 53n + 1n) };
  const answer = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: { ...key, authorization: bearer() },
    payload: { ...TRANSFER, amount },
  });
  assert.equal(answer.statusCode, 201);
  assert.equal((seen[0]!.request as { amount: { minorUnits: bigint } }).amount.minorUnits, 2n ** 53n + 1n);
});

test("errors of a service come out by the catalogue, without what lies behind them", async () => {
  const fail = (reason: string) => () => {
    const details = [{ desc: ErrorInfoSchema, value: { reason, domain: "ferry" } }];
    throw new ConnectError("said by the service", Code.FailedPrecondition, undefined, details);
  };
  const { app, bearer } = await createHarness({
    answers: {
      GetTransfer: fail("NOT_FOUND"),
      CreateTransfer: fail("IDEMPOTENCY_KEY_REUSED"),
      ListTransfers: () => {
        throw new Error("secret detail");
      },
      ListAccounts: () => {
        throw new ConnectError("connect ECONNREFUSED 10.0.0.1", Code.Unavailable);
      },
    },
  });
  const authorization = bearer();
  const get = (url: string) => app.inject({ url, headers: { authorization } });
  const missing = await get(`/v1/transfers/${MEMBER_ID}`);
  assert.equal(missing.statusCode, 404);
  assert.deepEqual(missing.json().error, {
    code: "NOT_FOUND",
    status: 404,
    message: "said by the service",
    details: [],
    retryable: false,
  });
  const reused = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: { ...key, authorization },
    payload: TRANSFER,
  });
  assert.equal(reused.statusCode, 422);
  const broken = await get("/v1/transfers");
  assert.equal(broken.statusCode, 500);
  assert.doesNotMatch(broken.body, /secret/);
  const away = await get("/v1/accounts");
  assert.equal(away.statusCode, 503);
  assert.equal(away.headers["retry-after"], "1");
  assert.doesNotMatch(away.body, /10\.0\.0\.1/);
});
