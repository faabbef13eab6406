import assert from "node:assert/strict";
import { test } from "node:test";
import type { FerryError } from "@ferry/platform/errors";
import { type Account, closeAccount, INT64_MAX } from "./account.ts";
import type { Books } from "./books.ts";
import type { Command, CreditAccount, PlaceHold, ReleaseHold, SettleHold } from "./commands.ts";
import { isCurrency } from "./currencies.ts";
import { decide } from "./decide.ts";

const alice: Account = {
  id: "alice",
  kind: "member",
  ownerId: "alice-member",
  currency: "EUR",
  balanceMinor: 100n,
  heldMinor: 0n,
  state: "open",
  version: 7n,
};
const bob: Account = { ...alice, id: "bob", ownerId: "bob-member", balanceMinor: 0n, version: 0n };
const closed: Account = { ...bob, id: "closed", state: "closed" };
const dollars: Account = { ...bob, id: "dollars", currency: "USD" };
const clearing: Account = { ...bob, id: "clearing", kind: "clearing", ownerId: undefined };
const suspense: Account = { ...clearing, id: "suspense", kind: "suspense" };

const place = (transferId: string, fields: Partial<PlaceHold> = {}): PlaceHold => ({
  kind: "place-hold",
  transferId,
  sourceAccountId: "alice",
  payerMemberId: "alice-member",
  amountMinor: 40n,
  currency: "EUR",
  destinationAccountId: undefined,
  expired: false,
  ...fields,
});
const settle = (transferId: string, fields: Partial<SettleHold> = {}): SettleHold => ({
  kind: "settle-hold",
  transferId,
  sourceAccountId: "alice",
  destination: { kind: "bank", bankCode: "081" },
  ...fields,
});
const release = (transferId: string): ReleaseHold => ({ kind: "release-hold", transferId, sourceAccountId: "alice" });
const credit = (reference: string, fields: Partial<CreditAccount> = {}): CreditAccount => ({
  kind: "credit-account",
  reference,
  accountId: "bob",
  amountMinor: 30n,
  currency: "EUR",
  bankCode: "081",
  ...fields,
});
const toBob = { destination: { kind: "account", accountId: "bob" } } as const;

/** What each command of a set is answered, and what the accounts are after it. */
function given(...changed: Account[]) {
  const accounts = [alice, bob, closed, dollars, ...changed];
  const books: Books = {
    accounts: new Map(accounts.map((account) => [account.id, account])),
    internal: new Map([
      ["clearing:081:EUR", clearing],
      ["suspense:EUR", suspense],
    ]),
    holds: new Map(),
    credits: new Map(),
  };
  return {
    when(...commands: Command[]) {
      const { outcomes, changes } = decide(books, commands);
      const after = new Map(changes.accounts.map((account) => [account.id, account]));
      const told = (id: string) => {
        const account = after.get(id);
        return account && [account.balanceMinor, account.heldMinor, account.version];
      };
      return { answers: outcomes.map(({ refusal }) => refusal), changes, told };
    },
  };
}

test("two holds of the whole balance in one set: the first gets it, the second is refused, one row is written", () => {
  const { answers, changes, told } = given().when(
    place("one", { amountMinor: 100n }),
    place("two", { amountMinor: 100n }),
  );
  assert.deepEqual(answers, [undefined, "INSUFFICIENT_BALANCE"]);
  assert.equal(changes.accounts.length, 1);
  assert.deepEqual(told("alice"), [100n, 100n, 8n]);
});

test("a hold is checked in the order in which its reasons matter, and every refusal is kept", () => {
  const cases: [Partial<PlaceHold>, string][] = [
    [{ sourceAccountId: "nobody" }, "ACCOUNT_UNKNOWN"],
    [{ payerMemberId: "bob-member" }, "ACCOUNT_UNKNOWN"],
    [{ sourceAccountId: "closed", payerMemberId: "bob-member" }, "ACCOUNT_CLOSED"],
    [{ currency: "USD" }, "CURRENCY_MISMATCH"],
    [{ destinationAccountId: "alice" }, "SAME_ACCOUNT"],
    [{ destinationAccountId: "nobody" }, "DESTINATION_UNKNOWN"],
    [{ destinationAccountId: "closed" }, "ACCOUNT_CLOSED"],
    [{ destinationAccountId: "dollars" }, "CURRENCY_MISMATCH"],
    [{ amountMinor: 101n, destinationAccountId: "nobody" }, "DESTINATION_UNKNOWN"],
    [{ amountMinor: 101n }, "INSUFFICIENT_BALANCE"],
  ];
  for (const [fields, refusal] of cases) {
    const { answers, changes } = given().when(place("t", fields), place("t", fields), settle("t"), release("t"));
    assert.deepEqual(answers.slice(0, 3), [refusal, refusal, "HOLD_UNKNOWN"], JSON.stringify(Object.keys(fields)));
    assert.deepEqual([changes.accounts, changes.entries], [[], []]);
    assert.equal(changes.newHolds[0]?.refusal, refusal);
  }
});

test("the platform's own accounts are nobody's source and nobody's destination", () => {
  const answers = given(clearing, suspense).when(
    place("one", { sourceAccountId: "clearing" }),
    place("two", { destinationAccountId: "suspense" }),
    credit("three", { accountId: "clearing" }),
  ).answers;
  assert.deepEqual(answers, ["ACCOUNT_UNKNOWN", "DESTINATION_UNKNOWN", "ACCOUNT_UNKNOWN"]);
});

test("a refused hold is refused again, even when it would fit by now", () => {
  const { answers } = given().when(
    place("t", { amountMinor: 120n }),
    credit("c", { accountId: "alice", amountMinor: 50n }),
    place("t", { amountMinor: 120n }),
  );
  assert.deepEqual(answers, ["INSUFFICIENT_BALANCE", undefined, "INSUFFICIENT_BALANCE"]);
});

test("the same transfer id for something else is refused, and the first hold stays as it was", () => {
  const others: Command[] = [
    place("t", { amountMinor: 41n }),
    place("t", { destinationAccountId: "bob" }),
    place("t", { payerMemberId: "bob-member" }),
    settle("t", toBob),
    settle("t", { sourceAccountId: "bob" }),
    { ...release("t"), sourceAccountId: "bob" },
  ];
  const { answers, told } = given().when(place("t"), ...others, place("t"));
  assert.deepEqual(answers, [undefined, ...others.map(() => "REFERENCE_REUSED"), undefined]);
  assert.deepEqual(told("alice"), [100n, 40n, 8n]);
});

test("a settle moves the money once, with the balance after each posting", () => {
  const { answers, changes, told } = given().when(
    place("one", { destinationAccountId: "bob" }),
    place("two"),
    settle("one", toBob),
    settle("two"),
    settle("two"),
    place("two"),
  );
  assert.deepEqual(new Set(answers), new Set([undefined]));
  assert.deepEqual(told("alice"), [20n, 0n, 11n]);
  assert.deepEqual(told("bob"), [40n, 0n, 1n]);
  assert.deepEqual(told("clearing"), [40n, 0n, 1n]);
  const rows = changes.entries.map((entry) => [entry.reference, entry.accountId, entry.amountMinor, entry.version]);
  assert.deepEqual(rows, [
    ["one", "alice", -40n, 10n],
    ["one", "bob", 40n, 1n],
    ["two", "alice", -40n, 11n],
    ["two", "clearing", 40n, 1n],
  ]);
  assert.deepEqual(
    changes.entries.map((entry) => entry.balanceAfterMinor),
    [60n, 40n, 20n, 40n],
  );
  assert.deepEqual(
    changes.newHolds.map((hold) => hold.state),
    ["settled", "settled"],
  );
});

test("a release that comes before its hold leaves a mark that refuses the hold", () => {
  const { answers, changes } = given().when(release("t"), release("t"), place("t"), settle("t"));
  assert.deepEqual(answers, [undefined, undefined, "HOLD_RELEASED", "HOLD_RELEASED"]);
  assert.deepEqual(changes.accounts, []);
});

test("a released hold is over for settles and for a late repeat of the hold", () => {
  const { answers, told } = given().when(place("t"), release("t"), release("t"), settle("t"), place("t"));
  assert.deepEqual(answers, [undefined, undefined, undefined, "HOLD_RELEASED", "HOLD_RELEASED"]);
  assert.deepEqual(told("alice"), [100n, 0n, 9n]);
});

test("a settled hold stays settled when it is released, and an unknown one cannot be settled", () => {
  const { answers, told } = given().when(place("t"), settle("t"), release("t"), settle("unknown"));
  assert.deepEqual(answers, [undefined, undefined, "HOLD_RELEASED", "HOLD_UNKNOWN"]);
  assert.deepEqual(told("alice"), [60n, 0n, 9n]);
});

test("an expired hold is not carried out and not remembered, but an answer given before is given again", () => {
  const expired = place("t", { expired: true });
  const { answers, told } = given().when(expired, place("t"), expired);
  assert.deepEqual(answers, ["EXPIRED", undefined, undefined]);
  assert.deepEqual(told("alice"), [100n, 40n, 8n]);
});

test("a destination that closed after the hold is paid into suspense", () => {
  const before = decide(
    {
      accounts: new Map([
        ["alice", alice],
        ["bob", bob],
      ]),
      internal: new Map(),
      holds: new Map(),
      credits: new Map(),
    },
    [place("t", { destinationAccountId: "bob" })],
  );
  const books: Books = {
    accounts: new Map([
      ["alice", before.changes.accounts[0]!],
      ["bob", closeAccount(bob)],
    ]),
    internal: new Map([["suspense:EUR", suspense]]),
    holds: new Map([["t", before.changes.newHolds[0]!]]),
    credits: new Map(),
  };
  const { outcomes, changes } = decide(books, [settle("t", toBob)]);
  assert.equal(outcomes[0]?.refusal, undefined);
  assert.deepEqual(
    changes.entries.map((entry) => [entry.accountId, entry.amountMinor]),
    [
      ["alice", -40n],
      ["suspense", 40n],
    ],
  );
  assert.deepEqual([changes.newHolds.length, changes.endedHolds[0]?.state], [0, "settled"]);
});

test("a credit is booked once, to suspense when the account is closed, and its refusals are kept", () => {
  const { answers, told } = given().when(
    credit("one"),
    credit("one"),
    credit("one", { amountMinor: 31n }),
    credit("two", { accountId: "closed" }),
    credit("three", { accountId: "nobody" }),
    credit("four", { currency: "USD" }),
    credit("four", { currency: "USD" }),
  );
  const [unknown, mismatch] = ["ACCOUNT_UNKNOWN", "CURRENCY_MISMATCH"];
  assert.deepEqual(answers, [undefined, undefined, "REFERENCE_REUSED", undefined, unknown, mismatch, mismatch]);
  assert.deepEqual(told("bob"), [30n, 0n, 1n]);
  assert.deepEqual(told("suspense"), [30n, 0n, 1n]);
  assert.deepEqual(told("clearing"), [-60n, 0n, 2n]);
});

test("no balance leaves the range of an int64", () => {
  const full: Account = { ...bob, balanceMinor: INT64_MAX - 10n };
  const { answers } = given(full).when(
    credit("one", { amountMinor: 11n }),
    place("two", { destinationAccountId: "bob" }),
    credit("three", { amountMinor: 10n }),
  );
  assert.deepEqual(answers, ["AMOUNT_OUT_OF_RANGE", "AMOUNT_OUT_OF_RANGE", undefined]);
});

test("an account with money or a hold on it does not close, an empty one closes once", () => {
  const notEmpty = (error: FerryError) => error.reason === "ACCOUNT_NOT_EMPTY";
  assert.throws(() => closeAccount(alice), notEmpty);
  assert.throws(() => closeAccount({ ...alice, heldMinor: 1n }), notEmpty);
  const once = closeAccount(bob);
  assert.deepEqual([once.state, once.version], ["closed", 1n]);
  assert.equal(closeAccount(once), once);
});

test("currencies are the active ones of ISO 4217", () => {
  for (const code of ["EUR", "USD", "JPY", "XOF", "ZWG"]) assert.equal(isCurrency(code), true, code);
  for (const code of ["XTS", "XAU", "HRK", "DEM", "eur", "", "EU"]) assert.equal(isCurrency(code), false, code);
});
