import assert from "node:assert/strict";
import { test } from "node:test";
import type { FerryError } from "@ferry/platform/errors";
import { type Account, closeAccount, freezeAccount, unfreezeAccount } from "./account.ts";
import type { Hold } from "./books.ts";
import type { Command } from "./commands.ts";
import { decide } from "./decide.ts";

const open: Account = {
  ...{ id: "alice", kind: "member", ownerId: "alice-member", currency: "EUR", state: "open", version: 7n },
  ...{ balanceMinor: 100n, heldMinor: 50n },
};
const frozen = freezeAccount(open);
const clearing: Account = { ...open, id: "clearing", kind: "clearing", ownerId: undefined, heldMinor: 0n };
const because = (reason: string) => (error: FerryError) => error.reason === reason;

function held(transferId: string, amountMinor: bigint): [string, Hold] {
  const terms = { payerMemberId: "alice-member", amountMinor, currency: "EUR", destinationAccountId: undefined };
  return [transferId, { transferId, accountId: "alice", state: "held", terms, refusal: undefined }];
}

test("a frozen account takes no new holds; what is held can be settled and released, and money still arrives", () => {
  const amount = { amountMinor: 10n, currency: "EUR" };
  const hold = { sourceAccountId: "alice", payerMemberId: "alice-member", ...amount, expired: false };
  const destination = { kind: "bank", bankCode: "081" } as const;
  const commands: Command[] = [
    { kind: "place-hold", transferId: "new", destinationAccountId: undefined, ...hold },
    { kind: "settle-hold", transferId: "paid", sourceAccountId: "alice", destination },
    { kind: "release-hold", transferId: "back", sourceAccountId: "alice" },
    { kind: "credit-account", reference: "in", accountId: "alice", bankCode: "081", ...amount },
  ];
  const books = {
    accounts: new Map([["alice", frozen]]),
    internal: new Map([["clearing:081:EUR", clearing]]),
    holds: new Map([held("paid", 20n), held("back", 30n)]),
    credits: new Map(),
  };
  const { outcomes, changes } = decide(books, commands);
  assert.deepEqual(
    outcomes.map(({ refusal }) => refusal),
    ["ACCOUNT_FROZEN", undefined, undefined, undefined],
  );
  const after = changes.accounts.find(({ id }) => id === "alice");
  assert.deepEqual(after, { ...frozen, balanceMinor: 90n, heldMinor: 0n, version: 11n });
});

test("an account is frozen and opened once each, and not closed while it is frozen", () => {
  assert.deepEqual(frozen, { ...open, state: "frozen", version: 8n });
  assert.equal(freezeAccount(frozen), frozen);
  assert.deepEqual(unfreezeAccount(frozen), { ...open, version: 9n });
  assert.equal(unfreezeAccount(open), open);
  assert.throws(() => closeAccount({ ...frozen, balanceMinor: 0n, heldMinor: 0n }), because("ACCOUNT_FROZEN"));
  assert.throws(() => freezeAccount({ ...open, state: "closed" }), because("ACCOUNT_CLOSED"));
});
