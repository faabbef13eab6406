import assert from "node:assert/strict";
import { test } from "node:test";
import type { Account } from "./account.ts";
import type { Hold } from "./books.ts";
import type { Command, PlaceHold } from "./commands.ts";
import { decide } from "./decide.ts";

const alice: Account = {
  id: "alice",
  kind: "member",
  ownerId: "alice-member",
  currency: "EUR",
  balanceMinor: 100n,
  heldMinor: 30n,
  state: "open",
  version: 7n,
};

const place = (transferId: string, amountMinor: bigint, provisional = true): PlaceHold => ({
  kind: "place-hold",
  transferId,
  sourceAccountId: "alice",
  payerMemberId: "alice-member",
  amountMinor,
  currency: "EUR",
  destinationAccountId: undefined,
  expired: false,
  provisional,
});

function when(holds: readonly Hold[], ...commands: Command[]) {
  const accounts = new Map([[alice.id, alice]]);
  const known = new Map(holds.map((hold) => [hold.transferId, hold]));
  const decision = decide({ accounts, internal: new Map(), holds: known, credits: new Map() }, commands);
  const answers = decision.outcomes.map(({ refusal, missingMinor }) => [refusal, missingMinor]);
  return { answers, newHolds: decision.changes.newHolds, accounts: decision.changes.accounts };
}

test("a provisional hold that is short is told by how much, and nothing is kept of it", () => {
  const { answers, newHolds, accounts } = when([], place("one", 100n), place("one", 100n), place("one", 70n));
  assert.deepEqual(answers, [
    ["INSUFFICIENT_BALANCE", 30n],
    ["INSUFFICIENT_BALANCE", 30n],
    [undefined, undefined],
  ]);
  assert.deepEqual(
    newHolds.map(({ transferId, state }) => [transferId, state]),
    [["one", "held"]],
  );
  assert.equal(accounts[0]?.heldMinor, 100n);
});

test("other refusals of a provisional hold are kept as ever, and a plain hold's lack of money is not measured", () => {
  const { answers, newHolds } = when([], { ...place("one", 1n), currency: "USD" }, place("two", 100n, false));
  assert.deepEqual(answers, [
    ["CURRENCY_MISMATCH", undefined],
    ["INSUFFICIENT_BALANCE", undefined],
  ]);
  assert.deepEqual(
    newHolds.map(({ state }) => state),
    ["refused", "refused"],
  );
});

test("after its release a provisional hold is refused, also when the money is there", () => {
  const release: Command = { kind: "release-hold", transferId: "one", sourceAccountId: "alice" };
  const { answers } = when([], place("one", 100n), release, place("one", 10n));
  assert.deepEqual(answers, [
    ["INSUFFICIENT_BALANCE", 30n],
    [undefined, undefined],
    ["HOLD_RELEASED", undefined],
  ]);
});
