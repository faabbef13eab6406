import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import { ACCOUNT_ID, createHarness, type HarnessOptions, MEMBER_ID, TRANSFER } from "../edge/testing/harness.ts";
import { answerFacts, type ClientOptions, createFerryClient, createSession, FerryApiError } from "./index.ts";

const failure = (reason: FerryError["reason"], retryAfterMs?: number) =>
  toConnectError(new FerryError(reason, "not now", { retryAfterMs }));

/** An edge on loopback, and a client of it that waits next to nothing between retries. */
async function connected(t: TestContext, options: HarnessOptions = {}, given: Partial<ClientOptions> = {}) {
  const harness = await createHarness(options);
  for (const component of harness.components) await component.start?.();
  t.after(async () => {
    for (const component of harness.components) await component.stop?.();
  });
  const tokenAt = (nowMs?: number) => harness.bearer("member", MEMBER_ID, nowMs).replace("Bearer ", "");
  const baseUrl = `http://127.0.0.1:${harness.port()}`;
  const retries = { firstDelayMs: 5, maxRetries: 3 };
  const ferry = createFerryClient({ baseUrl, tokens: { accessToken: () => tokenAt() }, retries, ...given });
  return { ...harness, baseUrl, tokenAt, ferry };
}

test("a typed call: its key is made, its wait is asked for, and its status is told", async (t) => {
  const transfer = { id: ACCOUNT_ID, state: TransferState.SENT, amount: { currency: "EUR", minorUnits: 2n ** 60n } };
  const { ferry, seen } = await connected(t, { answers: { CreateTransfer: () => ({ transfer }) } });
  const request = { ...TRANSFER, amount: { currency: "EUR", minorUnits: 2n ** 60n } };
  const answer = await ferry.transfer.createTransfer(request, { waitSeconds: 5 });
  assert.equal(answer.transfer.state, "TRANSFER_STATE_SENT");
  assert.equal(answer.transfer.amount?.minorUnits, "1152921504606846976", "as it came, and exact");
  const facts = answerFacts(answer);
  assert.equal(facts?.status, 202);
  assert.equal(facts?.replayed, false);
  assert.match(facts?.traceId ?? "", /^[0-9a-f]{32}$/);
  const { headers, request: got } = seen[0]!;
  assert.match(headers.get("idempotency-key") ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/);
  assert.equal(headers.get("prefer"), "wait=5");
  assert.equal((got as { amount: { minorUnits: bigint } }).amount.minorUnits, 2n ** 60n);
  await ferry.transfer.createTransfer(request, { idempotencyKey: "mine" });
  assert.equal(seen[1]?.headers.get("idempotency-key"), "mine");
});

test("a failure that may pass is tried again with the same key, and only so often", async (t) => {
  let failures = 2;
  const { ferry, seen } = await connected(t, {
    answers: {
      CreateTransfer: () => {
        if (failures-- > 0) throw failure("UNAVAILABLE");
        return { transfer: {} };
      },
      ListAccounts: () => {
        throw failure("UNAVAILABLE");
      },
    },
  });
  const patient = { timeoutMs: 20_000 }; // An attempt that the machine holds up must not be one more.
  await ferry.transfer.createTransfer(TRANSFER, patient);
  const keys = seen.map(({ headers }) => headers.get("idempotency-key"));
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  await assert.rejects(ferry.ledger.listAccounts({}, patient), (error: FerryApiError) => error.code === "UNAVAILABLE");
  assert.equal(seen.length, 3 + 4, "the first attempt and three more");
  await assert.rejects(ferry.ledger.listAccounts({}, { ...patient, maxRetries: 0 }), FerryApiError);
  assert.equal(seen.length, 3 + 4 + 1);
});

test("what must not come twice is not sent twice, unless nothing was done", async (t) => {
  const reasons: FerryError["reason"][] = ["UNAVAILABLE", "OVERLOADED"];
  const { ferry, seen } = await connected(t, {
    answers: {
      OpenAccount: () => {
        const reason = reasons.shift();
        if (reason !== undefined) throw failure(reason);
        return { account: { id: ACCOUNT_ID } };
      },
    },
  });
  await assert.rejects(ferry.ledger.openAccount({ currency: "EUR" }), (error: FerryApiError) => error.retryable);
  assert.equal(seen.length, 1);
  const { account } = await ferry.ledger.openAccount({ currency: "EUR" }, { maxRetries: 1, timeoutMs: 20_000 });
  assert.equal(account.id, ACCOUNT_ID);
  assert.equal(seen.length, 3);
});

test("an error tells its code, its fields and what support needs; one that is no answer of the API, too", async (t) => {
  const { ferry } = await connected(t);
  const refused = await ferry.transfer.createTransfer({ ...TRANSFER, sourceAccountId: "x" }).catch((error) => error);
  assert.ok(refused instanceof FerryApiError);
  assert.deepEqual([refused.code, refused.status, refused.retryable], ["INVALID_REQUEST", 400, false]);
  assert.equal(refused.details[0]?.field, "sourceAccountId");
  assert.ok(refused.requestId !== undefined && refused.traceId !== undefined);

  const proxy = createServer((_, response) => response.writeHead(502).end("<html>")).listen(0, "127.0.0.1");
  t.after(() => proxy.close());
  await new Promise((done) => proxy.once("listening", done));
  const behind = createFerryClient({
    baseUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    retries: { maxRetries: 0 },
  });
  const unread = await behind.ledger.listAccounts().catch((error) => error);
  assert.deepEqual([unread.code, unread.status, unread.retryable], ["ANSWER_UNREADABLE", 502, true]);
  const nowhere = createFerryClient({ baseUrl: "http://127.0.0.1:1", retries: { maxRetries: 0 } });
  const unmade = await nowhere.ledger.listAccounts().catch((error) => error);
  assert.deepEqual([unmade.code, unmade.status], ["CONNECTION_FAILED", 0]);
});

test("pages are asked for as they are read, and end", async (t) => {
  const { ferry, seen } = await connected(t, {
    answers: {
      ListTransfers: ({ pageToken }: { pageToken: string }) => {
        const page = pageToken === "" ? 1 : Number(pageToken);
        return {
          transfers: [{ memo: `${page}a` }, { memo: `${page}b` }],
          nextPageToken: page < 3 ? `${page + 1}` : "",
        };
      },
    },
  });
  const memos: string[] = [];
  for await (const { memo } of ferry.transfer.listTransfers.items({ state: "TRANSFER_STATE_COMPLETED" }))
    memos.push(memo);
  assert.deepEqual(memos, ["1a", "1b", "2a", "2b", "3a", "3b"]);
  assert.ok(seen.every(({ request }) => (request as { state: number }).state === TransferState.COMPLETED));
  for await (const { nextPageToken } of ferry.transfer.listTransfers.pages()) if (nextPageToken === "2") break;
  assert.equal(seen.length, 3 + 1);
});

test("calls that find their token expired share one refresh, and are made again", async (t) => {
  let fresh = "";
  const kept: unknown[] = [];
  const session = createSession({ onChange: (tokens) => kept.push(tokens) });
  const { ferry, seen, tokenAt } = await connected(
    t,
    { answers: { RefreshSession: () => ({ accessToken: fresh, refreshToken: "second" }) } },
    { tokens: session },
  );
  fresh = tokenAt();
  session.keep({ accessToken: tokenAt(Date.now() - 3_600_000), refreshToken: "first" });
  await Promise.all([ferry.ledger.listAccounts(), ferry.transfer.listTransfers(), ferry.home.getHome()]);
  const refreshes = seen.filter(({ rpc }) => rpc === "RefreshSession");
  assert.deepEqual(
    refreshes.map(({ request }) => (request as { refreshToken: string }).refreshToken),
    ["first"],
  );
  assert.deepEqual(kept.at(-1), { accessToken: fresh, refreshToken: "second" });
  assert.equal(seen.filter(({ rpc }) => rpc === "ListAccounts").length >= 1, true);
});

test("a session that cannot be refreshed ends, and says so", async (t) => {
  const session = createSession();
  const answers = {
    RefreshSession: () => {
      throw failure("SESSION_REVOKED");
    },
  };
  const { ferry, tokenAt } = await connected(t, { answers }, { tokens: session });
  session.keep({ accessToken: tokenAt(Date.now() - 3_600_000), refreshToken: "first" });
  await assert.rejects(ferry.ledger.listAccounts(), (error: FerryApiError) => error.code === "SESSION_REVOKED");
  assert.equal(session.current(), undefined);
});

test("an attempt ends by its time, a call by its signal", async (t) => {
  const hangs = (_: never, { signal }: HandlerContext) =>
    new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  const { ferry } = await connected(t, { answers: { ListAccounts: hangs } });
  const late = ferry.ledger.listAccounts({}, { timeoutMs: 50, maxRetries: 0 });
  await assert.rejects(late, (error: FerryApiError) => error.code === "TIMED_OUT");
  const abort = new AbortController();
  const call = ferry.ledger.listAccounts({}, { signal: abort.signal });
  abort.abort(new Error("the page was left"));
  await assert.rejects(call, /the page was left/);
});

test("a stream goes on after the last event when its connection ends, until there is nothing more", async (t) => {
  const asked: bigint[] = [];
  async function* watch({ afterVersion }: { afterVersion: bigint }) {
    asked.push(afterVersion);
    if (afterVersion >= 4n) return;
    for (let version = afterVersion + 1n; version <= afterVersion + 2n; version++)
      yield { transfer: { id: ACCOUNT_ID }, version };
  }
  const { ferry } = await connected(t, { answers: { WatchTransfer: watch as never } });
  const versions: string[] = [];
  for await (const { version } of ferry.transfer.watchTransfer({ transferId: ACCOUNT_ID })) versions.push(version);
  assert.deepEqual(versions, ["1", "2", "3", "4"]);
  assert.deepEqual(asked, [0n, 2n, 4n]);
});

test("a stream that is refused says why; one that is left ends its call", async (t) => {
  const left = Promise.withResolvers<void>();
  let refuse = true;
  async function* watch(_: never, { signal }: HandlerContext) {
    if (refuse) throw failure("NOT_FOUND");
    signal.addEventListener("abort", () => left.resolve());
    yield { transfer: { id: ACCOUNT_ID }, version: 1n };
    await left.promise;
  }
  const { ferry } = await connected(t, { answers: { WatchTransfer: watch as never } });
  const read = async () => {
    for await (const { version } of ferry.transfer.watchTransfer({ transferId: ACCOUNT_ID })) return version;
  };
  await assert.rejects(read(), (error: FerryApiError) => error.code === "NOT_FOUND");
  refuse = false;
  assert.equal(await read(), "1");
  await left.promise;
});

test("a body of another type goes as it is, and the query says the rest", async (t) => {
  const { ferry, seen } = await connected(t, { answers: { CreateTransferBatch: () => ({ batch: {} }) } });
  const body = "currency,minorUnits,destinationAccountId\nEUR,5,x\n";
  const rawBody = { contentType: "text/csv", body } as const;
  await ferry.transferBatch.createTransferBatch({ sourceAccountId: ACCOUNT_ID }, { rawBody });
  const { csv, sourceAccountId } = seen[0]!.request as { csv: Uint8Array; sourceAccountId: string };
  assert.deepEqual([new TextDecoder().decode(csv), sourceAccountId], [body, ACCOUNT_ID]);
});
