import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "./checks.ts";

const payment = {
  seq: "1",
  reference: "r",
  bank_code: "081",
  operation: "send",
  outcome: "done",
  currency: "EUR",
  amount: 1_250n,
  account_number: "20000001",
} as const;
const told = { status: "done", amount: { currency: "EUR", minorUnits: "1250" }, accountNumber: "20000001" };
const said = (body: unknown, status = 200) => compare(payment, { kind: "answered", status, body });

test("only the bank's own word on a payment is held against the record", () => {
  assert.equal(said(told), undefined);
  for (const nothing of [undefined, {}, "done", { status: "pending" }]) assert.equal(said(nothing), undefined);
  assert.equal(said(told, 503), undefined);
  assert.match(said({ ...told, status: "refused" }) ?? "", /another end/);
  assert.match(said({ ...told, accountNumber: "20000002" }) ?? "", /another amount or account/);
  assert.match(said({}, 404) ?? "", /does not know/);
});
