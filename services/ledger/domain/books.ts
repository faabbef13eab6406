import type { Account, AccountId } from "./account.ts";
import type { Command, CreditAccount, PlaceHold, ReceiveTransfer, Refusal } from "./commands.ts";
import { type InternalAccount, internalAccountKey } from "./internal-accounts.ts";

/**
 * What became of a transfer's hold. It is kept for ever: it makes a repeated command harmless.
 *
 * held: the money is set aside. settled: it was paid. released: it was given back. refused: it was
 * never set aside, `refusal` says why. tombstone: a release came first, so it never will be.
 */
export interface Hold {
  transferId: string;
  accountId: AccountId;
  state: "held" | "settled" | "released" | "refused" | "tombstone";
  /** What the hold was asked for; undefined for a tombstone. */
  terms: HoldTerms | undefined;
  refusal: Refusal | undefined;
}

export type HoldTerms = Pick<PlaceHold, "payerMemberId" | "amountMinor" | "currency" | "destinationAccountId">;

/** What was answered to a credit. It is kept for ever, as a hold is. */
export interface Credit extends Omit<CreditAccount, "kind"> {
  refusal: Refusal | undefined;
}

/** Money that came from another shard. It is kept for ever, as a hold is. */
export type Arrival = Omit<ReceiveTransfer, "kind">;

/** Money that left for an account in another shard: it is handed over with the transaction that took it. */
export interface Departure {
  reference: string;
  accountId: AccountId;
  amountMinor: bigint;
  currency: string;
}

/** Which side of which kind of movement a posting is; with its reference it names the posting. */
export type Leg = `${Movement}-${"from" | "to"}`;

export type Movement = "transfer" | "credit" | "arrival";

/** One posting, seen from its account. */
export interface Entry {
  accountId: AccountId;
  /** The account's version that this posting made. */
  version: bigint;
  /** The transfer or top-up that it belongs to. */
  reference: string;
  leg: Leg;
  /** Positive: the balance rose. */
  amountMinor: bigint;
  balanceAfterMinor: bigint;
}

/** All that a set of commands may touch, as it was before. */
export interface Books {
  accounts: ReadonlyMap<AccountId, Account>;
  /** By `internalAccountKey`. */
  internal: ReadonlyMap<string, Account>;
  /** By transfer id. */
  holds: ReadonlyMap<string, Hold>;
  /** By reference. */
  credits: ReadonlyMap<string, Credit>;
  /** By reference; only where there are several shards. */
  arrivals?: ReadonlyMap<string, Arrival>;
}

/** All that a set of commands changes, each row once. */
export interface Changes {
  accounts: Account[];
  newHolds: Hold[];
  /** Holds that were open before and are not any more. */
  endedHolds: Hold[];
  newCredits: Credit[];
  newArrivals: Arrival[];
  departures: Departure[];
  /** In the order of the commands. */
  entries: Entry[];
}

export interface Outcome {
  command: Command;
  /** undefined: carried out, now or before. */
  refusal: Refusal | undefined;
  /** Of a provisional hold that was refused for lack of money: by how much. */
  missingMinor?: bigint;
}

/** The books while a set is decided: each command sees what those before it did. */
export interface Draft {
  account(id: AccountId): Account | undefined;
  /** @throws when the account was not brought along: see `internalAccountsFor`. */
  internal(account: InternalAccount): Account;
  hold(transferId: string): Hold | undefined;
  credit(reference: string): Credit | undefined;
  arrival(reference: string): Arrival | undefined;
  /** Changes what is set aside on an account. */
  addHeld(account: Account, amountMinor: bigint): void;
  /** Moves money from one account to another: two postings that sum to zero. */
  move(reference: string, movement: Movement, amountMinor: bigint, from: Account, to: Account): void;
  saveHold(hold: Hold): void;
  saveCredit(credit: Credit): void;
  saveArrival(arrival: Arrival): void;
  depart(departure: Departure): void;
  changes(): Changes;
}

export function openDraft(books: Books): Draft {
  const accounts = new Map<AccountId, Account>();
  const holds = new Map<string, Hold>();
  const credits = new Map<string, Credit>();
  const arrivals = new Map<string, Arrival>();
  const departures: Departure[] = [];
  const entries: Entry[] = [];

  function post(account: Account, reference: string, leg: Leg, amountMinor: bigint, heldMinor: bigint): void {
    const balanceMinor = account.balanceMinor + amountMinor;
    const version = account.version + 1n;
    accounts.set(account.id, { ...account, balanceMinor, heldMinor: account.heldMinor + heldMinor, version });
    entries.push({ accountId: account.id, version, reference, leg, amountMinor, balanceAfterMinor: balanceMinor });
  }

  return {
    account: (id) => accounts.get(id) ?? books.accounts.get(id),
    internal(account) {
      const found = books.internal.get(internalAccountKey(account));
      if (found === undefined) throw new Error(`internal account ${internalAccountKey(account)} was not brought along`);
      return accounts.get(found.id) ?? found;
    },
    hold: (transferId) => holds.get(transferId) ?? books.holds.get(transferId),
    credit: (reference) => credits.get(reference) ?? books.credits.get(reference),
    arrival: (reference) => arrivals.get(reference) ?? books.arrivals?.get(reference),
    addHeld(account, amountMinor) {
      const heldMinor = account.heldMinor + amountMinor;
      accounts.set(account.id, { ...account, heldMinor, version: account.version + 1n });
    },
    move(reference, movement, amountMinor, from, to) {
      // A transfer's money was set aside before; paying it ends that in the same change of the account.
      post(from, reference, `${movement}-from`, -amountMinor, movement === "transfer" ? -amountMinor : 0n);
      post(to, reference, `${movement}-to`, amountMinor, 0n);
    },
    saveHold: (hold) => void holds.set(hold.transferId, hold),
    saveCredit: (credit) => void credits.set(credit.reference, credit),
    saveArrival: (arrival) => void arrivals.set(arrival.reference, arrival),
    depart: (departure) => void departures.push(departure),
    changes: () => ({
      accounts: [...accounts.values()],
      newHolds: [...holds.values()].filter((hold) => !books.holds.has(hold.transferId)),
      endedHolds: [...holds.values()].filter((hold) => books.holds.has(hold.transferId)),
      newCredits: [...credits.values()],
      newArrivals: [...arrivals.values()],
      departures,
      entries,
    }),
  };
}
