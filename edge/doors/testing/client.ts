import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { ConnectError, createClient } from "@connectrpc/connect";
import { TransferService } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { ErrorInfoSchema } from "@ferry/gen/google/rpc/error_details_pb.ts";
import { createHarness, type HarnessOptions, MEMBER_ID } from "../../testing/harness.ts";
import type { Door } from "../index.ts";
import { doorTransport } from "./transport.ts";

/** The page of this origin may call. */
export const ORIGIN = "https://app.example";

/** A transfer that keeps every rule, of an amount that no double holds. */
export const TRANSFER = {
  sourceAccountId: MEMBER_ID,
  destination: { kind: { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: "2200004321" } } },
  amount: { currency: "EUR", minorUnits: 9_007_199_254_740_993n },
  memo: "tea",
};

/** An edge that listens with both doors open, and Connect's own client in one of the protocols over fetch. */
export async function listening(t: TestContext, door: Door, options: HarnessOptions = {}, useBinaryFormat = true) {
  const harness = await createHarness({
    ...options,
    options: { doors: ["connect", "grpc-web"], corsOrigins: [ORIGIN], ...options.options },
  });
  await harness.components[0]!.start!();
  t.after(async () => harness.components[0]!.stop!());
  const base = `http://127.0.0.1:${harness.port()}`;
  const transport = doorTransport(door, base, useBinaryFormat);
  const headers = { authorization: harness.bearer(), "idempotency-key": "key 1" };
  return { ...harness, base, headers, transfers: createClient(TransferService, transport), transport };
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

export const reasonOf = (error: ConnectError) => error.findDetails(ErrorInfoSchema)[0]?.reason;
