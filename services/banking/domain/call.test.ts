import assert from "node:assert/strict";
import { test } from "node:test";
import { type BankOperation, type BankResponse, expired, interpret, unknownBank } from "./call.ts";

const answered = (status: number, body?: unknown): BankResponse => ({ kind: "answered", status, body });
const lost: BankResponse = { kind: "lost", detail: "no answer within 2000 ms" };
const unreachable: BankResponse = { kind: "unreachable", detail: "connection refused" };

const cases: [operation: BankOperation["kind"], what: string, response: BankResponse, kind: string, code?: string][] = [
  ["verify", "ok", answered(200, { status: "ok" }), "done"],
  ["verify", "unknown account", answered(200, { status: "unknown" }), "refused", "BANK_ACCOUNT_UNKNOWN"],
  ["verify", "closed account", answered(200, { status: "closed" }), "refused", "BANK_ACCOUNT_CLOSED"],
  ["verify", "server error", answered(503), "unavailable", "BANK_UNAVAILABLE"],
  ["verify", "no answer", lost, "unavailable", "BANK_UNAVAILABLE"],
  ["verify", "an answer of another form", answered(200, ["ok"]), "unavailable", "BANK_UNAVAILABLE"],
  ["send", "done", answered(200, { status: "done" }), "done"],
  ["send", "refused", answered(200, { status: "refused", reason: "blocked" }), "refused", "BANK_REFUSED"],
  ["send", "no answer", lost, "unknown", "BANK_OUTCOME_UNKNOWN"],
  ["send", "nobody listens", unreachable, "unknown", "BANK_OUTCOME_UNKNOWN"],
  ["send", "server error", answered(500), "unknown", "BANK_OUTCOME_UNKNOWN"],
  ["send", "broken JSON", answered(200, undefined), "unknown", "BANK_OUTCOME_UNKNOWN"],
  ["send", "a taken reference", answered(409, { message: "taken" }), "unknown", "BANK_OUTCOME_UNKNOWN"],
  [
    "send",
    "a request that the bank cannot take",
    answered(400, { message: "bad amount" }),
    "unknown",
    "BANK_OUTCOME_UNKNOWN",
  ],
  [
    "collect",
    "no mandate",
    answered(200, { status: "refused", reason: "mandate-missing" }),
    "refused",
    "MANDATE_MISSING",
  ],
  ["inquire", "done", answered(200, { status: "done" }), "done"],
  ["inquire", "refused", answered(200, { status: "refused" }), "refused", "BANK_REFUSED"],
  ["inquire", "not found", answered(404, { status: "not-found" }), "not-found", "BANK_REFERENCE_UNKNOWN"],
  ["inquire", "no answer", lost, "unknown", "BANK_OUTCOME_UNKNOWN"],
  ["inquire", "server error", answered(502), "unknown", "BANK_OUTCOME_UNKNOWN"],
];

for (const [operation, what, response, kind, code] of cases)
  test(`${operation}: ${what} is ${kind}`, () => {
    const outcome = interpret(operation, response);
    assert.equal(outcome.kind, kind);
    assert.equal(outcome.failure?.code, code);
  });

test("what a bank says can be recorded and read, whatever characters it sends", () => {
  const reason = `\u0000\ud800${"x".repeat(198)}\ud83d\ude00`;
  const { failure } = interpret("send", answered(200, { status: "refused", reason }));
  assert.equal(failure?.message, `the bank refused the payment:  \ufffd${"x".repeat(198)}`);
});

test("expired: a question was not asked; a payment was not made, unless an earlier command may have made it", () => {
  for (const operation of ["verify", "inquire", "void"] as const)
    assert.deepEqual(
      [expired(operation, true).kind, expired(operation, true).failure?.code],
      ["unavailable", "EXPIRED"],
    );
  for (const operation of ["send", "collect"] as const) {
    assert.deepEqual([expired(operation, false).kind, expired(operation, false).failure?.code], ["refused", "EXPIRED"]);
    assert.equal(expired(operation, true).kind, "unknown");
  }
});

test("no connection to the bank: a refusal, unless the bank may have heard of a payment when there was one", () => {
  for (const operation of ["verify", "send", "collect", "inquire"] as const)
    assert.deepEqual(
      [unknownBank(operation, "999", false).kind, unknownBank(operation, "999", false).failure?.code],
      ["refused", "BANK_UNKNOWN"],
      operation,
    );
  for (const operation of ["send", "collect", "inquire"] as const)
    assert.deepEqual(
      [unknownBank(operation, "999", true).kind, unknownBank(operation, "999", true).failure?.code],
      ["unknown", "BANK_UNKNOWN"],
      operation,
    );
});
