import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { checkRequest, stateOf, type TopUpFacts, type TopUpRequest } from "./top-up.ts";

const request: TopUpRequest = {
  memberId: "m1",
  accountId: "a1",
  bankCode: "081",
  accountNumber: "1100001234",
  currency: "EUR",
  amountMinor: 100n,
};
const account = { ownerId: "m1", currency: "EUR", open: true };

const refusals: [what: string, facts: TopUpFacts, reason: string][] = [
  ["a suspended member", { memberState: "suspended", account }, "MEMBER_SUSPENDED"],
  ["an account that does not exist", { memberState: "active", account: undefined }, "NOT_FOUND"],
  ["an account of another's", { memberState: "active", account: { ...account, ownerId: "m2" } }, "NOT_FOUND"],
  ["a closed account", { memberState: "active", account: { ...account, open: false } }, "ACCOUNT_CLOSED"],
  [
    "another currency than the account's",
    { memberState: "active", account: { ...account, currency: "USD" } },
    "CURRENCY_MISMATCH",
  ],
];

for (const [what, facts, reason] of refusals)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => checkRequest(request, facts),
      (error: unknown) => error instanceof FerryError && error.reason === reason,
    );
  });

test("a good request is let through, and the state follows the steps", () => {
  checkRequest(request, { memberState: "active", account });
  assert.equal(stateOf("running", new Set()), "ACCEPTED");
  assert.equal(stateOf("running", new Set(["collect"])), "COLLECTED");
  assert.equal(stateOf("parked", new Set(["collect"])), "PARKED");
  assert.equal(stateOf("completed", new Set(["collect", "credit"])), "COMPLETED");
  assert.equal(stateOf("undone", new Set()), "FAILED");
});
