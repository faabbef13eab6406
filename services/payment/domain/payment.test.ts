import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { checkPayment, type PaymentFacts, type PaymentRequest, paymentStateOf, topUpAmountOf } from "./payment.ts";

const request: PaymentRequest = {
  memberId: "payer",
  sourceAccountId: "s",
  merchantAccountId: "m",
  currency: "EUR",
  amountMinor: 100n,
  memo: "",
  topUp: undefined,
};
const source = { ownerId: "payer", currency: "EUR", open: true };
const merchant = { ownerId: "merchant", currency: "EUR", open: true };
const good: PaymentFacts = { memberState: "active", source, merchant };

const refusals: [what: string, facts: PaymentFacts, reason: string][] = [
  ["nobody", { ...good, memberState: undefined }, "NOT_FOUND"],
  ["a suspended member", { ...good, memberState: "suspended" }, "MEMBER_SUSPENDED"],
  ["no source", { ...good, source: undefined }, "NOT_FOUND"],
  ["another's source", { ...good, source: { ...source, ownerId: "other" } }, "NOT_FOUND"],
  ["a closed source", { ...good, source: { ...source, open: false } }, "ACCOUNT_CLOSED"],
  ["a source in another currency", { ...good, source: { ...source, currency: "USD" } }, "CURRENCY_MISMATCH"],
  ["no merchant", { ...good, merchant: undefined }, "DESTINATION_UNKNOWN"],
  ["oneself as the merchant", { ...good, merchant: { ...merchant, ownerId: "payer" } }, "SAME_ACCOUNT"],
  ["a closed merchant's account", { ...good, merchant: { ...merchant, open: false } }, "ACCOUNT_CLOSED"],
  ["a merchant in another currency", { ...good, merchant: { ...merchant, currency: "USD" } }, "CURRENCY_MISMATCH"],
];

for (const [what, facts, reason] of refusals)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => checkPayment(request, facts),
      (error: unknown) => error instanceof FerryError && error.reason === reason,
    );
  });

test("a good payment is let through, and its merchant is known", () => {
  assert.equal(checkPayment(request, good), "merchant");
});

test("a top-up brings in what is missing, or what was said when that is enough, or nothing", () => {
  const topUp = { bankCode: "081", accountNumber: "1100000001", amountMinor: undefined };
  assert.equal(topUpAmountOf(topUp, 30n), 30n);
  assert.equal(topUpAmountOf({ ...topUp, amountMinor: 50n }, 30n), 50n);
  assert.equal(topUpAmountOf({ ...topUp, amountMinor: 29n }, 30n), undefined);
  assert.equal(topUpAmountOf(topUp, 0n), undefined);
  assert.equal(topUpAmountOf(undefined, 30n), undefined);
});

test("the state follows the steps: a hold that was told what is missing is none", () => {
  const at = (names: string[], short: boolean, status: "running" | "undone" | "parked" | "completed" = "running") =>
    paymentStateOf({ status, done: new Set(names), short, canceled: false });
  assert.equal(at([], false), "ACCEPTED");
  assert.equal(at(["place-hold"], false), "HELD");
  assert.equal(at(["place-hold"], true), "TOPPING_UP");
  assert.equal(at(["place-hold", "top-up"], true), "TOPPING_UP");
  assert.equal(at(["place-hold", "top-up", "place-hold-again"], true), "HELD");
  assert.equal(at([], false, "parked"), "PARKED");
  assert.equal(at([], false, "completed"), "COMPLETED");
  assert.equal(at([], false, "undone"), "FAILED");
  assert.equal(paymentStateOf({ status: "undone", done: new Set(), short: false, canceled: true }), "CANCELED");
});
