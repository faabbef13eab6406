import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Account, closeAccount } from "./account.ts";
import type { Credit, Entry, Hold } from "./books.ts";
import type { Command } from "./commands.ts";
import { decide } from "./decide.ts";
import { type InternalAccount, internalAccountKey, internalAccountsFor } from "./internal-accounts.ts";

const ACCOUNTS = ["a", "b", "c", "d"];
const currencyOf = (id: string) => (id === "d" ? "USD" : "EUR");

/** The ledger's tables in memory. */
class Tables {
  readonly accounts = new Map<string, Account>(
    ACCOUNTS.map((id) => [id, this.empty({ id, kind: "member", ownerId: `${id}-owner`, currency: currencyOf(id) })]),
  );
  readonly internal = new Map<string, Account>();
  readonly holds = new Map<string, Hold>();
  readonly credits = new Map<string, Credit>();
  readonly entries: Entry[] = [];

  private empty(account: Pick<Account, "id" | "kind" | "ownerId" | "currency">): Account {
    return { ...account, balanceMinor: 0n, heldMinor: 0n, state: "open", version: 0n };
  }

  private internalFor(wanted: ReadonlyMap<string, InternalAccount>): Map<string, Account> {
    for (const [key, account] of wanted) {
      assert.equal(key, internalAccountKey(account));
      const fresh = this.empty({ id: key, kind: account.kind, ownerId: undefined, currency: account.currency });
      if (!this.internal.has(key)) this.internal.set(key, fresh);
    }
    return new Map([...wanted.keys()].map((key) => [key, this.internal.get(key)!]));
  }

  carryOut(commands: readonly Command[]) {
    const { accounts, holds, credits } = this;
    const internal = this.internalFor(internalAccountsFor({ accounts, holds, credits }, commands));
    const { outcomes, changes } = decide({ accounts, internal, holds, credits }, commands);
    const rows = changes.accounts.map((account) => account.id);
    assert.equal(new Set(rows).size, rows.length, "one row update for each account");
    for (const account of changes.accounts)
      (account.kind === "member" ? accounts : this.internal).set(account.id, account);
    for (const hold of [...changes.newHolds, ...changes.endedHolds]) holds.set(hold.transferId, hold);
    for (const credit of changes.newCredits) credits.set(credit.reference, credit);
    this.entries.push(...changes.entries);
    return outcomes.map(({ refusal }) => refusal);
  }

  close(id: string): void {
    try {
      this.accounts.set(id, closeAccount(this.accounts.get(id)!));
    } catch {
      // It is not empty, and stays open.
    }
  }

  private all(): Account[] {
    return [...this.accounts.values(), ...this.internal.values()];
  }

  /** All that must hold after each set. */
  check(): void {
    const sums = new Map<string, bigint>();
    const add = (key: string, amount: bigint) => void sums.set(key, (sums.get(key) ?? 0n) + amount);
    const currencies = new Map(this.all().map(({ id, currency }) => [id, currency]));
    for (const { reference, accountId, amountMinor } of this.entries) {
      add(`reference ${reference}`, amountMinor);
      add(`currency ${currencies.get(accountId)}`, amountMinor);
    }
    for (const [key, sum] of sums) assert.equal(sum, 0n, key);

    for (const { id, kind, balanceMinor, heldMinor, state, version } of this.all()) {
      const own = this.entries.filter((entry) => entry.accountId === id);
      let balance = 0n;
      let last = 0n;
      for (const entry of own) {
        balance += entry.amountMinor;
        assert.equal(entry.balanceAfterMinor, balance, `${id} at ${entry.version}`);
        assert.ok(entry.version > last && entry.version <= version, `order on ${id}`);
        last = entry.version;
      }
      const open = [...this.holds.values()].filter((hold) => hold.accountId === id && hold.state === "held");
      assert.equal(balanceMinor, balance, `balance of ${id}`);
      assert.equal(
        heldMinor,
        open.reduce((sum, hold) => sum + hold.terms!.amountMinor, 0n),
        `held on ${id}`,
      );
      if (kind !== "clearing") assert.ok(balanceMinor >= heldMinor && heldMinor >= 0n, `limit of ${id}`);
      if (state === "closed") assert.equal(balanceMinor, 0n);
    }
  }

  /** All that a reader could see; an internal account that was brought along and not used is nothing to see. */
  facts() {
    const used = [...this.internal.values()].filter((account) => account.version > 0n);
    used.sort((one, other) => one.id.localeCompare(other.id));
    return [this.accounts, used, this.holds, this.credits, this.entries] as const;
  }
}

const accountId = fc.constantFrom(...ACCOUNTS, "unknown");
const transferId = fc.integer({ min: 1, max: 6 }).map((n) => `transfer-${n}`);
const amountMinor = fc.bigInt({ min: 1n, max: 100n });

/** What a transfer is, told by its number, so that most commands of one transfer fit each other; a few do not. */
function termsOf(id: string) {
  const n = Number(id.split("-")[1]);
  const sourceAccountId = ACCOUNTS[n % 3]!;
  return { sourceAccountId, destinationAccountId: n % 2 === 0 ? ACCOUNTS[(n + 1) % 3] : undefined };
}

const placeHold = fc.record({ id: transferId, amountMinor, odd: fc.nat(11), to: accountId }).map(
  ({ id, amountMinor, odd, to }): Command => ({
    kind: "place-hold",
    transferId: id,
    ...termsOf(id),
    payerMemberId: odd === 0 ? "stranger" : `${termsOf(id).sourceAccountId}-owner`,
    amountMinor: odd < 4 ? amountMinor : 20n,
    currency: odd === 1 ? "USD" : "EUR",
    expired: odd === 2,
    ...(odd === 3 ? { destinationAccountId: to } : {}),
  }),
);
const settleHold = fc.record({ id: transferId, odd: fc.nat(9), to: accountId }).map(({ id, odd, to }): Command => {
  const { sourceAccountId, destinationAccountId } = termsOf(id);
  const accountId = odd === 0 ? to : destinationAccountId;
  const destination =
    accountId === undefined ? ({ kind: "bank", bankCode: "081" } as const) : ({ kind: "account", accountId } as const);
  return { kind: "settle-hold", transferId: id, sourceAccountId, destination };
});
const releaseHold = transferId.map(
  (id): Command => ({
    kind: "release-hold",
    transferId: id,
    sourceAccountId: termsOf(id).sourceAccountId,
  }),
);
const creditAccount = fc.record({ n: fc.integer({ min: 1, max: 8 }), to: accountId, amountMinor, odd: fc.nat(5) }).map(
  ({ n, to, amountMinor, odd }): Command => ({
    kind: "credit-account",
    reference: `credit-${n}`,
    accountId: odd === 0 ? to : ACCOUNTS[n % 4]!,
    amountMinor: odd === 1 ? amountMinor : 60n,
    currency: odd === 2 ? "JPY" : currencyOf(ACCOUNTS[n % 4]!),
    bankCode: n % 2 === 0 ? "081" : "082",
  }),
);

type Step = { command: Command; cutAfter: boolean; twice: boolean } | { close: string };
const command = fc.oneof(placeHold, settleHold, releaseHold, creditAccount);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ command, cutAfter: fc.boolean(), twice: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ close: fc.constantFrom(...ACCOUNTS) }) },
);

/** Enough for a few transfers from each account, not for all. */
const opening = ["a", "b", "c"].map(
  (id): Step => ({
    command: {
      kind: "credit-account",
      reference: `opening-${id}`,
      accountId: id,
      amountMinor: 50n,
      currency: "EUR",
      bankCode: "081",
    },
    cutAfter: false,
    twice: false,
  }),
);

/** Runs a sequence, cut into sets where `cuts` says; closing an account is a cut in any case. */
function run(steps: readonly Step[], cuts: (step: Step) => boolean, repeat: boolean) {
  const tables = new Tables();
  const answers: unknown[] = [];
  let set: Command[] = [];
  let repeats: boolean[] = [];
  const flush = () => {
    const given = tables.carryOut(set);
    given.forEach((answer, index) => {
      if (repeats[index]) assert.equal(answer, given[index - 1], "a repeat gets the same answer");
      else answers.push(answer);
    });
    tables.check();
    [set, repeats] = [[], []];
  };
  for (const step of steps) {
    if ("close" in step) {
      flush();
      tables.close(step.close);
      continue;
    }
    set.push(step.command);
    repeats.push(false);
    if (repeat && step.twice) {
      set.push(step.command);
      repeats.push(true);
    }
    if (cuts(step)) flush();
  }
  flush();
  return { answers, facts: tables.facts() };
}

test("however a sequence is cut into sets and repeated, the books hold and come out the same", () => {
  let settled = 0;
  let credited = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (drawn) => {
      const steps = [...opening, ...drawn];
      const oneByOne = run(steps, () => true, false);
      const inSets = run(steps, (step) => "cutAfter" in step && step.cutAfter, false);
      const allAtOnce = run(steps, () => false, false);
      const repeated = run(steps, (step) => "cutAfter" in step && step.cutAfter, true);
      assert.deepEqual(inSets, oneByOne);
      assert.deepEqual(allAtOnce, oneByOne);
      assert.deepEqual(repeated, oneByOne);
      const [, , holds, credits] = oneByOne.facts;
      for (const { state } of holds.values()) if (state === "settled") settled++;
      for (const { refusal } of credits.values()) if (refusal === undefined) credited++;
    }),
    { numRuns: 300 },
  );
  assert.ok(settled > 50 && credited > 100, `the sequences reach postings: ${settled} settled, ${credited} credited`);
});
