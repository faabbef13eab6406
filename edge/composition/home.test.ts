import assert from "node:assert/strict";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import { readMetrics } from "@ferry/platform/telemetry";
import { ACCOUNT_ID, createHarness, type HarnessOptions, MEMBER_ID, type SeenCall } from "../testing/harness.ts";

const ANSWERS: HarnessOptions["answers"] = {
  GetCurrentMember: () => ({ member: { id: MEMBER_ID, displayName: "Ada" } }),
  ListAccounts: () => ({ accounts: [{ id: ACCOUNT_ID, currency: "EUR" }], nextPageToken: "more" }),
  ListTransfers: () => ({ transfers: [{ id: ACCOUNT_ID, memo: "tea" }] }),
  ListPayments: () => ({ payments: [] }),
  ListTransferBatches: () => ({ batches: [] }),
};
const RPCS = Object.keys(ANSWERS).sort();

const fails = (reason: ConstructorParameters<typeof FerryError>[0]) => () => {
  throw toConnectError(new FerryError(reason, "no answer", { cause: "a secret of the service" }));
};
/** Never answers: ends when the call is given up. */
const hangs = (_request: never, { signal }: HandlerContext) =>
  new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));

async function home(answers: HarnessOptions["answers"] = {}, headers: Record<string, string> = {}) {
  const { app, bearer, seen } = await createHarness({ answers: { ...ANSWERS, ...answers } });
  const answer = await app.inject({ url: "/v1/home", headers: { authorization: bearer(), ...headers } });
  return { answer, seen, body: answer.json() };
}

test("one call answers all parts, each asked with the caller's token, ids and the contract's arguments", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { answer, body, seen } = await home({}, { traceparent, "x-request-id": "r1" });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(body.data.member.displayName, "Ada");
  assert.equal(body.data.accounts.accounts[0].currency, "EUR");
  assert.equal(body.data.accounts.nextPageToken, "more");
  assert.equal(body.data.transfers.transfers[0].memo, "tea");
  assert.deepEqual(
    [body.data.payments, body.data.batches],
    [
      { payments: [], nextPageToken: "" },
      { batches: [], nextPageToken: "" },
    ],
  );
  assert.deepEqual(body.data.missing, []);
  assert.deepEqual(seen.map(({ rpc }) => rpc).sort(), RPCS);
  for (const { headers, timeoutMs } of seen) {
    assert.match(headers.get("authorization") ?? "", /^Bearer ey/);
    assert.equal(headers.get("x-request-id"), "r1");
    assert.equal(headers.get("traceparent")?.slice(3, 35), traceparent.slice(3, 35));
    assert.ok(timeoutMs !== undefined && timeoutMs <= 1_500, "less than the whole's 2,500");
  }
  const pageSizeOf = (name: string) => (seen.find(({ rpc }) => rpc === name)!.request as { pageSize: number }).pageSize;
  assert.deepEqual(["ListAccounts", "ListTransfers", "ListTransferBatches"].map(pageSizeOf), [50, 10, 5]);
  assert.ok(answer.headers.etag);
});

test("a part that fails is absent and named by its reason alone, and the rest is answered", async () => {
  const { answer, body } = await home({ ListPayments: fails("UNAVAILABLE") });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.deepEqual(body.data.missing, [{ part: "payments", reason: "UNAVAILABLE" }]);
  assert.equal("payments" in body.data, false, "absent, and not empty: no payments is another thing");
  assert.equal(body.data.transfers.transfers.length, 1);
  assert.doesNotMatch(answer.body, /secret|no answer/);
  const counted = (await readMetrics())
    .split("\n")
    .filter((line) => line.startsWith("ferry_edge_parts_missing_total{"));
  assert.deepEqual(counted, ['ferry_edge_parts_missing_total{rpc="GetHome",part="payments",reason="UNAVAILABLE"} 1']);
});

test("a part that does not come in its time is given up, and the rest is answered", async () => {
  const { answer, body } = await home({ ListTransfers: hangs, ListTransferBatches: fails("INTERNAL") });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.deepEqual(body.data.missing, [
    { part: "transfers", reason: "DEADLINE_EXCEEDED" },
    { part: "batches", reason: "INTERNAL" },
  ]);
  assert.equal(body.data.member.id, MEMBER_ID);
});

test("when every part fails, the first's error is the answer", async () => {
  const all = Object.fromEntries(RPCS.map((rpc) => [rpc, fails("UNAVAILABLE")]));
  const { answer, body } = await home({ ...all, GetCurrentMember: fails("OVERLOADED") });
  assert.equal(answer.statusCode, 503);
  assert.equal(body.error.code, "OVERLOADED");
  assert.ok(answer.headers["retry-after"]);
});

test("what a part says of the caller holds for the whole, and the other calls end", async () => {
  let seen: SeenCall | undefined;
  const waits = (_request: never, { signal }: HandlerContext) => {
    seen = { signal } as SeenCall;
    return hangs(_request, { signal } as HandlerContext);
  };
  const { answer, body } = await home({ ListAccounts: fails("MEMBER_SUSPENDED"), ListTransfers: waits });
  assert.equal(answer.statusCode, 403);
  assert.equal(body.error.code, "MEMBER_SUSPENDED");
  assert.equal(seen?.signal.aborted, true);
});

test("it needs a token, and every scope of what it reads", async () => {
  const { app, bearer, seen } = await createHarness({ answers: ANSWERS });
  assert.equal((await app.inject("/v1/home")).statusCode, 401);
  assert.equal((await app.inject({ url: "/v1/home?x=1", headers: { authorization: bearer() } })).statusCode, 400);
  assert.equal(seen.length, 0);
});
