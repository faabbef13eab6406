import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TransferService, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { type AuthorityState, createAuthenticator } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { createRpcServer, idempotencyKeyOf, memberIdOf, openChannel, waitMsOf } from "@ferry/platform/rpc";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../test/support/patient.ts";
import { until } from "../test/support/until.ts";
import { transportBackend } from "./backends.ts";
import { createHarness, MEMBER_ID, TRANSFER } from "./testing/harness.ts";

/** An edge before a real gRPC server that has transfers, and no other service. */
async function beforeServer(t: TestContext) {
  return createHarness({
    backendsOf: async (authority: AuthorityState) => {
      const server = createRpcServer({
        service: "transfer",
        port: 0,
        authenticator: createAuthenticator({ audience: "transfer", authority, trustedServices: new Map() }),
        logger: silentLogger,
        build: { service: "transfer", version: "3.2.1", commit: "c", buildTime: "t" },
        routes: (router) =>
          router.service(TransferService, {
            createTransfer: ({ amount }, context) => {
              const memo = `${memberIdOf(context)} ${idempotencyKeyOf(context)} ${waitMsOf(context)}`;
              return { transfer: { state: TransferState.SENT, amount, memo } };
            },
            getTransfer: () => {
              throw new FerryError("NOT_FOUND", "no such transfer", {
                fields: [{ field: "transfer_id", description: "is not known" }],
              });
            },
            listTransfers: () => {
              throw new FerryError("RATE_LIMITED", "later", { retryAfterMs: 2_500 });
            },
          }),
      });
      await server.start();
      const opened = (port: number) =>
        openChannel({ url: `http://127.0.0.1:${port}`, audience: "transfer", logger: silentLogger, ...PATIENT });
      const channel = opened(server.port);
      const nowhere = opened(1);
      t.after(async () => {
        channel.close();
        nowhere.close();
        await server.stop();
      });
      return ["member", "ledger", "banking", "transfer", "payment", "notify"].map((name) =>
        transportBackend(name, (name === "transfer" ? channel : nowhere).transport),
      );
    },
  });
}

test("token, key, wait and an exact amount reach a real service, and its answer comes back", async (t) => {
  const { app, bearer } = await beforeServer(t);
  const amount = { currency: "EUR", minorUnits: "9007199254740993" };
  const answer = await app.inject({
    method: "POST",
    url: "/v1/transfers",
    headers: { authorization: bearer(), "idempotency-key": "key 1", prefer: "wait=2" },
    payload: { ...TRANSFER, amount },
  });
  assert.equal(answer.statusCode, 202, answer.body);
  const { transfer } = answer.json().data;
  assert.equal(transfer.memo, `${MEMBER_ID} key 1 2000`);
  assert.deepEqual(transfer.amount, amount);
});

test("a service's reasons, fields and waits come out at the edge; one that is away is 503", async (t) => {
  const { app, bearer } = await beforeServer(t);
  const headers = { authorization: bearer() };
  const missing = await app.inject({ url: `/v1/transfers/${MEMBER_ID}`, headers });
  assert.equal(missing.statusCode, 404);
  assert.deepEqual(missing.json().error.details, [{ field: "transferId", description: "is not known" }]);
  const limited = await app.inject({ url: "/v1/transfers", headers });
  assert.equal(limited.statusCode, 429);
  assert.equal(limited.headers["retry-after"], "3");
  const away = await app.inject({ method: "POST", url: "/v1/accounts", headers, payload: { currency: "EUR" } });
  assert.equal(away.statusCode, 503);
  // Versions are asked for with little patience: what the machine holds up for a second is asked for anew.
  const services = await until("the versions in time", async () => {
    const told: Record<string, { error?: string }> = (await app.inject("/version")).json().services;
    return Object.values(told).some(({ error }) => error === "DEADLINE_EXCEEDED") ? undefined : told;
  });
  assert.deepEqual(services.transfer, { version: "3.2.1", commit: "c", buildTime: "t" });
  assert.deepEqual(services.ledger, { error: "UNAVAILABLE" });
});
