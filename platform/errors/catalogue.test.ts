import assert from "node:assert/strict";
import { test } from "node:test";
import { Reason } from "@ferry/gen/ferry/errors/v1/errors_pb.ts";
import { catalogue } from "./catalogue.ts";
import { FerryError, fromUnknown, invalidRequest } from "./error.ts";

test("every reason of the contract has a gRPC code and an HTTP status that fit each other", () => {
  const names = Object.keys(Reason).filter((name) => name !== "UNSPECIFIED");
  assert.ok(names.length > 40);
  assert.deepEqual([...catalogue.keys()].sort(), names.sort());
  for (const entry of catalogue.values()) {
    assert.ok(entry.grpcCode >= 1 && entry.grpcCode <= 16, entry.reason);
    assert.ok(entry.httpStatus >= 400 && entry.httpStatus <= 599, entry.reason);
    const serverFault = entry.httpStatus >= 500;
    assert.equal([2, 4, 12, 13, 14, 15].includes(entry.grpcCode) || !serverFault, true, entry.reason);
  }
});

test("what is thrown becomes one class, and what is not known leaks nothing", () => {
  const known = new FerryError("NOT_FOUND", "no such account");
  assert.equal(fromUnknown(known), known);
  const refused = fromUnknown(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }));
  assert.equal(refused.reason, "UNAVAILABLE");
  assert.equal(refused.retryable, true);
  const unknown = fromUnknown(new TypeError("secret detail"));
  assert.equal(unknown.reason, "INTERNAL");
  assert.doesNotMatch(unknown.message, /secret/);
  assert.match(String((unknown.cause as Error).message), /secret/);
});

test("what an infrastructure that is away says can be tried again, so that it buries no message", () => {
  const codes = ["ENETUNREACH", "EHOSTDOWN", "ECONNABORTED", "55P03", "25006", "40P01"];
  for (const code of codes) {
    const { reason, retryable } = fromUnknown(Object.assign(new Error("no"), { code }));
    assert.deepEqual([reason, retryable], ["UNAVAILABLE", true], code);
  }
  assert.equal(fromUnknown(new Error("timeout expired")).retryable, true);
  assert.equal(fromUnknown(Object.assign(new Error("no"), { code: "23505" })).retryable, false);
});

test("a request that breaks rules names its first field and counts the rest", () => {
  const error = invalidRequest([
    { field: "amount.minor_units", description: "must be above zero" },
    { field: "memo", description: "too long" },
  ]);
  assert.equal(error.message, "amount.minor_units: must be above zero (and 1 more)");
  assert.equal(error.entry.httpStatus, 400);
});
