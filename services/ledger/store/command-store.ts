import { LOST_RACE, nameUuid, sqlStateOf, type Transaction } from "@ferry/platform/db";
import type { Account, AccountId } from "../domain/account.ts";
import type { Arrival, Changes, Credit, Hold } from "../domain/books.ts";
import type { InternalAccount } from "../domain/internal-accounts.ts";
import {
  type AccountRow,
  type ArrivalRow,
  type CreditRow,
  type HoldRow,
  toAccount,
  toArrival,
  toCredit,
  toHold,
} from "./rows.ts";
import {
  FIND_ARRIVALS,
  FIND_CREDITS,
  FIND_HOLDS,
  INSERT_INTERNAL_ACCOUNTS,
  LOCK_ACCOUNTS,
  SAVE_ARRIVALS,
  SAVE_CHANGES,
} from "./statements.ts";

/** Namespace of the ids of internal accounts: their names make their ids, so no one needs to look them up. */
const INTERNAL_NAMESPACE = "5a3c1c54-7f0e-4d0b-9b57-1f0f0a8d2c11";
const MAX_KNOWN = 10_000;

/** Database.transaction runs the closure again, and it then sees the other set. */
function lostRace(): Error {
  return Object.assign(new Error("another set was first with the same reference"), { code: LOST_RACE });
}

const UNIQUE_VIOLATION = "23505";

function asLostRace(error: unknown): never {
  throw sqlStateOf(error) === UNIQUE_VIOLATION ? lostRace() : error;
}

async function saveArrivals(tx: Transaction, arrivals: readonly Arrival[]): Promise<void> {
  const columns = [
    arrivals.map(({ reference }) => reference),
    arrivals.map(({ accountId }) => accountId),
    arrivals.map(({ amountMinor }) => amountMinor),
    arrivals.map(({ currency }) => currency),
    arrivals.map(({ fromShard }) => fromShard),
  ];
  await tx.query(SAVE_ARRIVALS, columns).catch(asLostRace);
}

export function createCommandStore() {
  /** Ids of internal accounts that are surely there; forgotten all at once when there are too many. */
  const known = new Set<AccountId>();

  async function lockAccounts(tx: Transaction, ids: readonly AccountId[]): Promise<Map<AccountId, Account>> {
    const rows = await tx.query<AccountRow>(LOCK_ACCOUNTS, [ids]);
    return new Map(rows.map((row) => [row.id, toAccount(row)]));
  }

  /** Inserts in the order of ids and before any of them is locked, so that two sets cannot wait for each other. */
  async function makeInternalAccounts(tx: Transaction, missing: [AccountId, InternalAccount][], stripe: number) {
    if (missing.length === 0) return;
    await tx.query(INSERT_INTERNAL_ACCOUNTS, [
      missing.map(([id]) => id),
      missing.map(([, { kind }]) => kind),
      missing.map(([, { currency }]) => currency),
      missing.map(([, account]) => (account.kind === "clearing" ? account.bankCode : null)),
      missing.map(() => stripe),
      missing.map(([, account]) => (account.kind === "transit" ? account.peerShard : null)),
    ]);
    tx.afterCommit(() => {
      if (known.size + missing.length > MAX_KNOWN) known.clear();
      for (const [id] of missing) known.add(id);
    });
  }

  return {
    lockAccounts,

    async lockInternalAccounts(tx: Transaction, wanted: ReadonlyMap<string, InternalAccount>, stripe: number) {
      const byKey = new Map<string, Account>();
      if (wanted.size === 0) return byKey;
      const ids = [...wanted.keys()].map((key) => nameUuid(INTERNAL_NAMESPACE, `${key}:${stripe}`));
      const all = [...wanted.values()].map((account, index): [AccountId, InternalAccount] => [ids[index]!, account]);
      await makeInternalAccounts(
        tx,
        all.filter(([id]) => !known.has(id)),
        stripe,
      );
      const locked = await lockAccounts(tx, ids);
      for (const [index, key] of [...wanted.keys()].entries()) {
        const account = locked.get(ids[index]!);
        if (account === undefined) {
          known.clear(); // The database is not the one that it was: look again at the next attempt.
          throw lostRace();
        }
        byKey.set(key, account);
      }
      return byKey;
    },

    async findHolds(tx: Transaction, transferIds: readonly string[]): Promise<Map<string, Hold>> {
      if (transferIds.length === 0) return new Map();
      const rows = await tx.query<HoldRow>(FIND_HOLDS, [transferIds]);
      return new Map(rows.map((row) => [row.transfer_id, toHold(row)]));
    },

    async findCredits(tx: Transaction, references: readonly string[]): Promise<Map<string, Credit>> {
      if (references.length === 0) return new Map();
      const rows = await tx.query<CreditRow>(FIND_CREDITS, [references]);
      return new Map(rows.map((row) => [row.reference, toCredit(row)]));
    },

    async findArrivals(tx: Transaction, references: readonly string[]): Promise<Map<string, Arrival>> {
      if (references.length === 0) return new Map();
      const rows = await tx.query<ArrivalRow>(FIND_ARRIVALS, [references]);
      return new Map(rows.map((row) => [row.reference, toArrival(row)]));
    },

    async saveChanges(tx: Transaction, changes: Changes): Promise<void> {
      const { newHolds, endedHolds, newCredits, entries, accounts, newArrivals } = changes;
      const arrived = newArrivals.length === 0 ? undefined : saveArrivals(tx, newArrivals);
      const given = newHolds.length + endedHolds.length + newCredits.length + entries.length + accounts.length;
      if (given === 0) return;
      await Promise.all([tx.query(SAVE_CHANGES, columnsOf(changes)).catch(asLostRace), arrived]);
    },
  };
}

/** The arrays of SAVE_CHANGES, in its order. */
function columnsOf({ newHolds, endedHolds, newCredits, entries, accounts }: Changes): unknown[][] {
  return [
    newHolds.map((hold) => hold.transferId),
    newHolds.map((hold) => hold.accountId),
    newHolds.map((hold) => hold.state),
    newHolds.map((hold) => hold.terms?.payerMemberId),
    newHolds.map((hold) => hold.terms?.amountMinor),
    newHolds.map((hold) => hold.terms?.currency),
    newHolds.map((hold) => hold.terms?.destinationAccountId),
    newHolds.map((hold) => hold.refusal),
    endedHolds.map((hold) => hold.transferId),
    endedHolds.map((hold) => hold.state),
    newCredits.map((credit) => credit.reference),
    newCredits.map((credit) => credit.accountId),
    newCredits.map((credit) => credit.amountMinor),
    newCredits.map((credit) => credit.currency),
    newCredits.map((credit) => credit.bankCode),
    newCredits.map((credit) => credit.refusal),
    entries.map((entry) => entry.accountId),
    entries.map((entry) => entry.version),
    entries.map((entry) => entry.reference),
    entries.map((entry) => entry.leg),
    entries.map((entry) => entry.amountMinor),
    entries.map((entry) => entry.balanceAfterMinor),
    accounts.map((account) => account.id),
    accounts.map((account) => account.balanceMinor),
    accounts.map((account) => account.heldMinor),
    accounts.map((account) => account.version),
  ];
}
