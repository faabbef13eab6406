import assert from "node:assert/strict";
import { test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { checkRefund, hearOf, type RefundNews, type RefundRequest, type RefundState } from "./refund.ts";

const request: RefundRequest = {
  memberId: "merchant",
  paymentId: "p",
  currency: "EUR",
  amountMinor: 40n,
  bankAccount: undefined,
  memo: "",
};
const payment = {
  state: "COMPLETED",
  merchantMemberId: "merchant",
  currency: "EUR",
  amountMinor: 100n,
  refundedMinor: 60n,
};
type Facts = Parameters<typeof checkRefund>;

const refusals: [what: string, memberState: Facts[1], payment: Facts[2], reason: string][] = [
  ["nobody", undefined, payment, "NOT_FOUND"],
  ["a suspended merchant", "suspended", payment, "MEMBER_SUSPENDED"],
  ["no payment", "active", undefined, "NOT_FOUND"],
  ["another's payment", "active", { ...payment, merchantMemberId: "payer" }, "NOT_FOUND"],
  ["a payment that has not come over", "active", { ...payment, state: "HELD" }, "NOT_FOUND"],
  ["another currency", "active", { ...payment, currency: "USD" }, "CURRENCY_MISMATCH"],
  ["more than is left", "active", { ...payment, refundedMinor: 61n }, "REFUND_EXCEEDS_PAYMENT"],
];

for (const [what, memberState, facts, reason] of refusals)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => checkRefund(request, memberState, facts),
      (error: unknown) => error instanceof FerryError && error.reason === reason,
    );
  });

test("what is left can be refunded to the last unit", () => checkRefund(request, "active", payment));

const failure = { code: "BANK_REFUSED", message: "no" };
const onPlatform: RefundNews = { kind: "booked", towardsBank: false };
const towardsBank: RefundNews = { kind: "booked", towardsBank: true };
const notBooked: RefundNews = { kind: "not-booked", failure };
const paidOut: RefundNews = { kind: "paid-out" };
const takenBack: RefundNews = { kind: "taken-back", failure };

/** The states that a refund goes through as it hears this. */
function pathOf(...news: RefundNews[]): RefundState[] {
  let state: RefundState = "REQUESTED";
  return news.map((each) => {
    state = hearOf(state, each)?.state ?? state;
    return state;
  });
}

test("the ways of a refund", () => {
  assert.deepEqual(pathOf(onPlatform), ["COMPLETED"]);
  assert.deepEqual(pathOf(notBooked), ["FAILED"]);
  assert.deepEqual(pathOf(towardsBank, paidOut), ["BOOKED", "COMPLETED"]);
  assert.deepEqual(pathOf(towardsBank, takenBack), ["BOOKED", "FAILED"]);
});

test("in whatever order, however often and however late the news of one story come, it ends the same", () => {
  const stories: [first: RefundNews, second: RefundNews, end: RefundState][] = [
    [towardsBank, paidOut, "COMPLETED"],
    [towardsBank, takenBack, "FAILED"],
    [onPlatform, onPlatform, "COMPLETED"],
    [notBooked, notBooked, "FAILED"],
  ];
  for (const [first, second, end] of stories) {
    assert.equal(pathOf(first, second, first, second).at(-1), end);
    assert.equal(pathOf(second, first).at(-1), end);
    assert.equal(pathOf(second, second, first).at(-1), end);
    assert.equal(pathOf(first, first, second).at(-1), end);
  }
});

test("an end stays an end, whatever comes after it", () => {
  const all: RefundNews[] = [onPlatform, towardsBank, notBooked, paidOut, takenBack];
  for (const end of ["COMPLETED", "FAILED"] as const)
    for (const news of all) assert.equal(hearOf(end, news), undefined);
});
