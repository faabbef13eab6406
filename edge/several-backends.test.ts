import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { AuditService, GetAuditRequestSchema, GetAuditResponseSchema } from "@ferry/gen/ferry/audit/v1/audit_pb.ts";
import type { FerryError } from "@ferry/platform/errors";
import type { Backend } from "./backends.ts";
import { chooseBackend } from "./several-backends.ts";

const rpc = AuditService.method.getAudit as DescMethodUnary;
const call = { headers: {}, timeoutMs: 1_000 };

function backend(name: string): Backend {
  return {
    name,
    unready: () => undefined,
    stream: () => assert.fail("no stream is asked for"),
    unary: async () => create(GetAuditResponseSchema, { audit: { service: name } }),
  };
}

async function answeredBy(service: string): Promise<unknown> {
  const chosen = chooseBackend(rpc, "service", [backend("ledger"), backend("transfer")]);
  const answer = await chosen.unary(rpc, create(GetAuditRequestSchema, { service }), call);
  return (answer as unknown as { audit: { service: string } }).audit.service;
}

test("of several services the request names the one that answers", async () => {
  assert.equal(await answeredBy("ledger"), "ledger");
  assert.equal(await answeredBy("transfer"), "transfer");
  assert.equal(await answeredBy(""), "ledger", "the first where it names none");
  await assert.rejects(answeredBy("member"), (error: FerryError) => error.reason === "NOT_FOUND");
});

test("a contract that does not say how to choose is not served", () => {
  const two = [backend("ledger"), backend("transfer")];
  assert.throws(() => chooseBackend(rpc, "", two), /no service_field/);
  assert.throws(() => chooseBackend(rpc, "nothing", two), /no text field/);
  assert.throws(() => chooseBackend(rpc, "service", [two[0], undefined]), /no backend/);
  assert.equal(chooseBackend(rpc, "", [two[1]]), two[1]);
});
