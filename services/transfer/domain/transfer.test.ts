import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { type AccountFacts, checkRequest, stateOf, type TransferFacts, type TransferRequest } from "./transfer.ts";

const request: TransferRequest = {
  memberId: "m1",
  sourceAccountId: "a1",
  destination: { kind: "account", accountId: "a2" },
  currency: "EUR",
  amountMinor: 100n,
  memo: "",
};
const account = (changes: Partial<AccountFacts> = {}): AccountFacts => ({
  ownerId: "m1",
  currency: "EUR",
  open: true,
  ...changes,
});
const facts: TransferFacts = { memberState: "active", source: account(), destination: account({ ownerId: "m2" }) };

const refusals: [what: string, request: Partial<TransferRequest>, facts: Partial<TransferFacts>, reason: string][] = [
  ["a suspended member", {}, { memberState: "suspended" }, "MEMBER_SUSPENDED"],
  ["a source that does not exist", {}, { source: undefined }, "NOT_FOUND"],
  ["a source of another's", {}, { source: account({ ownerId: "m2" }) }, "NOT_FOUND"],
  ["a closed source", {}, { source: account({ open: false }) }, "ACCOUNT_CLOSED"],
  ["another currency than the source's", { currency: "USD" }, {}, "CURRENCY_MISMATCH"],
  ["the source as destination", { destination: { kind: "account", accountId: "a1" } }, {}, "SAME_ACCOUNT"],
  ["a destination that does not exist", {}, { destination: undefined }, "DESTINATION_UNKNOWN"],
  ["a closed destination", {}, { destination: account({ open: false }) }, "ACCOUNT_CLOSED"],
  ["a destination in another currency", {}, { destination: account({ currency: "USD" }) }, "CURRENCY_MISMATCH"],
];

for (const [what, changes, changedFacts, reason] of refusals)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => checkRequest({ ...request, ...changes }, { ...facts, ...changedFacts }),
      (error: unknown) => error instanceof FerryError && error.reason === reason,
    );
  });

test("another's account and no account are told apart by nobody", () => {
  const messageFor = (source: AccountFacts | undefined) => {
    try {
      checkRequest(request, { ...facts, source });
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };
  assert.equal(messageFor(undefined), messageFor(account({ ownerId: "m2" })));
});

test("a good request is let through, within the platform and to a bank", () => {
  checkRequest(request, facts);
  const toBank = { kind: "bank", bankCode: "081", accountNumber: "1234" } as const;
  checkRequest({ ...request, destination: toBank }, { ...facts, destination: undefined });
});

test("the state follows the steps, and stays where it was while they are undone", () => {
  const at = (status: Parameters<typeof stateOf>[0]["status"], ...done: string[]) =>
    stateOf({ status, done: new Set(done), canceled: false });
  assert.equal(at("running"), "ACCEPTED");
  assert.equal(at("running", "verify-account"), "VERIFIED");
  assert.equal(at("undoing", "verify-account", "place-hold"), "HELD");
  assert.equal(at("running", "verify-account", "place-hold", "send"), "SENT");
  assert.equal(at("completed"), "COMPLETED");
  assert.equal(at("parked", "verify-account"), "PARKED");
  assert.equal(at("undone"), "FAILED");
  assert.equal(stateOf({ status: "undone", done: new Set(), canceled: true }), "CANCELED");
});
