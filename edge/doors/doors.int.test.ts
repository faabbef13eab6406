import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { hasOption } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { http } from "@ferry/gen/google/api/annotations_pb.ts";
import { BadRequestSchema, RetryInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import { until } from "../../test/support/until.ts";
import { exposedServices } from "../backends.ts";
import { createHarness, MEMBER_ID } from "../testing/harness.ts";
import { failureOf, listening, reasonOf, TRANSFER } from "./testing/client.ts";

const CREATE = "/ferry.transfer.v1.TransferService/CreateTransfer";
const PACKED = {
  connect: { "content-type": "application/json", "content-encoding": "gzip" },
  "grpc-web": { "content-type": "application/grpc-web+json", "grpc-encoding": "gzip" },
};

for (const door of ["connect", "grpc-web"] as const) {
  for (const isBinary of [true, false])
    test(`${door}, ${isBinary ? "binary" : "JSON"}: a call comes to its service as over REST`, async (t) => {
      const { transfers, headers, seen } = await listening(t, door, {}, isBinary);
      const sent = { ...headers, "x-ferry-internal": "1", cookie: "a=b", prefer: "wait=2", "x-request-id": "mine" };
      let told = new Headers();
      const onHeader = (header: Headers) => {
        told = header;
      };
      const { transfer } = await transfers.createTransfer(TRANSFER, { headers: sent, onHeader });
      assert.equal(transfer?.state, TransferState.COMPLETED);
      const [call] = seen;
      assert.equal((call!.request as typeof TRANSFER).amount.minorUnits, 9_007_199_254_740_993n);
      // Those that the protocol behind adds by itself are not the caller's.
      const forwarded = [...call!.headers.keys()].filter(
        (name) => !/^(content-type|user-agent|connect-.*)$/.test(name),
      );
      assert.deepEqual(forwarded.sort(), ["authorization", "idempotency-key", "prefer", "traceparent", "x-request-id"]);
      assert.equal(call!.headers.get("x-request-id"), "mine");
      assert.equal(told.get("preference-applied"), "wait=2");
      assert.equal(told.get("x-content-type-options"), "nosniff");
    });

  test(`${door}: what may not be is refused with its reason, and nothing is called`, async (t) => {
    const { transfers, headers, seen, bearer, suspend } = await listening(t, door);
    const bad = { ...TRANSFER, sourceAccountId: "mine" };
    const field = await failureOf(transfers.createTransfer(bad, { headers }));
    assert.deepEqual([field.code, reasonOf(field)], [Code.InvalidArgument, "INVALID_REQUEST"]);
    assert.equal(field.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, "sourceAccountId");

    const { authorization } = headers;
    const noToken = await failureOf(transfers.createTransfer(TRANSFER, { headers: { "idempotency-key": "k" } }));
    assert.deepEqual([noToken.code, reasonOf(noToken)], [Code.Unauthenticated, "UNAUTHENTICATED"]);
    const forged = { ...headers, authorization: `${authorization}x` };
    assert.equal((await failureOf(transfers.createTransfer(TRANSFER, { headers: forged }))).code, Code.Unauthenticated);
    const expired = { ...headers, authorization: bearer("member", MEMBER_ID, Date.now() - 3_600_000) };
    assert.equal(
      (await failureOf(transfers.createTransfer(TRANSFER, { headers: expired }))).code,
      Code.Unauthenticated,
    );
    const noKey = await failureOf(transfers.createTransfer(TRANSFER, { headers: { authorization } }));
    assert.equal(reasonOf(noKey), "IDEMPOTENCY_KEY_INVALID");
    suspend(MEMBER_ID);
    const suspended = await failureOf(transfers.getTransfer({ transferId: MEMBER_ID }, { headers }));
    assert.deepEqual([suspended.code, reasonOf(suspended)], [Code.PermissionDenied, "MEMBER_SUSPENDED"]);
    assert.deepEqual(seen, []);
  });

  test(`${door}: rpcs without a route do not exist`, async (t) => {
    const { headers, seen, base, transport } = await listening(t, door);
    const hidden = exposedServices
      .flatMap(({ service }) => service.methods)
      .filter((rpc) => !hasOption(rpc, http))
      .map((rpc) => `/${rpc.parent.typeName}/${rpc.name}`);
    assert.ok(hidden.length > 0);
    const type = door === "connect" ? "application/proto" : "application/grpc-web+proto";
    for (const path of [...hidden, "/ferry.auth.v1.AuthorityService/WatchAuthority", "/grpc.health.v1.Health/Check"]) {
      const answer = await fetch(base + path, { method: "POST", headers: { ...headers, "content-type": type } });
      assert.equal(answer.status, 404, path);
    }
    const facts = createClient(LedgerService, transport).batchGetAccountFacts({ accountIds: [MEMBER_ID] }, { headers });
    assert.equal((await failureOf(facts)).code, Code.Unimplemented);
    assert.deepEqual(seen, []);
  });

  test(`${door}: a service's error comes out with its details and the time to come back`, async (t) => {
    const later = new FerryError("RATE_LIMITED", "later", { retryAfterMs: 2_500 });
    const ListTransfers = () => {
      throw toConnectError(later);
    };
    const { transfers, headers } = await listening(t, door, { answers: { ListTransfers } });
    const error = await failureOf(transfers.listTransfers({}, { headers }));
    assert.deepEqual(
      [error.code, error.rawMessage, reasonOf(error)],
      [Code.ResourceExhausted, "later", "RATE_LIMITED"],
    );
    const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
    assert.deepEqual([delay?.seconds, delay?.nanos], [2n, 500_000_000]);
    assert.equal(error.metadata.get("retry-after"), "3");
  });

  test(`${door}: a full edge and a spent budget are told in the protocol, with the time to come back`, async (t) => {
    const full = await listening(t, door, { limits: { maxInFlight: 0 } });
    const crowded = await failureOf(full.transfers.listTransfers({}, { headers: full.headers }));
    assert.deepEqual([reasonOf(crowded), crowded.findDetails(RetryInfoSchema).length], ["OVERLOADED", 1]);
    const { transfers, headers, seen } = await listening(t, door, { limits: { rateRead: 1 } });
    await transfers.listTransfers({}, { headers });
    const spent = await failureOf(transfers.listTransfers({}, { headers }));
    assert.deepEqual([spent.code, reasonOf(spent)], [Code.ResourceExhausted, "RATE_LIMITED"]);
    assert.equal(spent.findDetails(RetryInfoSchema).length, 1);
    assert.equal(seen.length, 1);
  });

  test(`${door}: a caller's deadline ends the call, and is cut down to the contract's`, async (t) => {
    const GetTransfer = (_request: never, { signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { transfers, headers, seen } = await listening(t, door, { answers: { GetTransfer } });
    // The header alone: a client that knew of it would end the call by itself.
    const within = (connect: string, grpc: string) => ({
      headers: { ...headers, ...(door === "connect" ? { "connect-timeout-ms": connect } : { "grpc-timeout": grpc }) },
    });
    const get = (options: object) => failureOf(transfers.getTransfer({ transferId: MEMBER_ID }, options));
    // Time that the machine takes before the call is made is the caller's, and may be all of it: such a call is made anew.
    const shortMs = await until("a call of 50 ms", async () => {
      assert.equal((await get(within("50", "50m"))).code, Code.DeadlineExceeded);
      return seen.shift()?.timeoutMs;
    });
    assert.ok(shortMs <= 50, String(shortMs));
    await until("a call of the contract's time, nearly all of it left", async () => {
      await transfers.listTransfers({}, within("9999999999", "99999999H")).catch(() => {});
      const allowedMs = seen.shift()?.timeoutMs;
      assert.ok(allowedMs === undefined || allowedMs <= 2_000, String(allowedMs));
      return allowedMs !== undefined && allowedMs > 1_000 ? true : undefined;
    });
    assert.equal((await get(within("soon", "soon"))).code, Code.InvalidArgument);
    assert.equal((await get(within("0", "0m"))).code, Code.DeadlineExceeded);
    assert.equal(seen.length, 0);
  });

  test(`${door}: a body over the limit is refused, packed or not`, async (t) => {
    const { transfers, headers, base, seen } = await listening(t, door, { limits: { maxBodyBytes: 2_048 } });
    const error = await failureOf(transfers.createTransfer({ ...TRANSFER, memo: "a".repeat(4_096) }, { headers }));
    assert.deepEqual([error.code, reasonOf(error)], [Code.ResourceExhausted, "BODY_TOO_LARGE"]);
    const packed = gzipSync(JSON.stringify({ memo: "a".repeat(100_000) }));
    const body = door === "connect" ? packed : encodeEnvelope(1, packed);
    const answer = await fetch(base + CREATE, { method: "POST", headers: { ...headers, ...PACKED[door] }, body });
    assert.match(await answer.text(), door === "connect" ? /resource_exhausted/ : /grpc-status: 8/);
    assert.deepEqual(seen, []);
  });

  test(`${door}: when a client goes away its call is canceled`, async (t) => {
    const entered = Promise.withResolvers<void>();
    const canceled = Promise.withResolvers<void>();
    const CreateTransfer = (_request: never, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener("abort", () => canceled.resolve());
      entered.resolve();
      return canceled.promise.then(() => ({}));
    };
    const { transfers, headers } = await listening(t, door, { answers: { CreateTransfer } });
    const client = new AbortController();
    const call = transfers.createTransfer(TRANSFER, { headers, signal: client.signal });
    await entered.promise;
    client.abort();
    await assert.rejects(call);
    await canceled.promise;
  });
}

test("a door that is shut is not there, and none is open by default", async (t) => {
  const { base, headers } = await listening(t, "connect", { options: { doors: ["grpc-web"] } });
  const post = (type: string) =>
    fetch(base + CREATE, { method: "POST", headers: { ...headers, "content-type": type }, body: "{}" });
  assert.equal((await post("application/json")).status, 415);
  assert.equal((await post("application/grpc-web+json")).status, 200);
  const { app, bearer } = await createHarness();
  const answer = await app.inject({ method: "POST", url: CREATE, headers: { authorization: bearer() }, payload: {} });
  assert.equal(answer.statusCode, 404);
});
