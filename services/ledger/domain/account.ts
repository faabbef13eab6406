import { FerryError } from "@ferry/platform/errors";

/** UUID, in small letters. */
export type AccountId = string;

/** What the ledger knows of an account while it decides. Amounts are minor units of the account's currency. */
export interface Account {
  id: AccountId;
  /** Members own theirs; the others are the platform's own, see internal-accounts.ts. */
  kind: "member" | "clearing" | "suspense" | "transit";
  /** The member's id; undefined for the platform's own. */
  ownerId: string | undefined;
  currency: string;
  /** Sum of all postings. */
  balanceMinor: bigint;
  /** Sum of open holds, part of the balance. */
  heldMinor: bigint;
  /** Frozen: takes no new holds and cannot be closed; what is held can be settled or released, credits arrive. */
  state: "open" | "frozen" | "closed";
  /** Rises by one with each change; a posting carries the version that it made, so it tells their order. */
  version: bigint;
}

export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

/** Whether a balance can be kept and sent. */
export function fitsInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}

/** What the owner can still spend. */
export function availableMinor(account: Account): bigint {
  return account.balanceMinor - account.heldMinor;
}

/**
 * Closes an account for good. Closing twice changes nothing.
 *
 * @throws FerryError ACCOUNT_NOT_EMPTY when there is money or a hold on it: a hold that is settled
 * later must find the money that it set aside. ACCOUNT_FROZEN: whoever froze it is not done with it.
 */
export function closeAccount<Closed extends Account>(account: Closed): Closed {
  if (account.state === "closed") return account;
  if (account.state === "frozen") throw new FerryError("ACCOUNT_FROZEN", "the account is frozen");
  if (account.heldMinor !== 0n) throw new FerryError("ACCOUNT_NOT_EMPTY", "a hold is open on the account");
  if (account.balanceMinor !== 0n) throw new FerryError("ACCOUNT_NOT_EMPTY", "there is money on the account");
  return { ...account, state: "closed", version: account.version + 1n };
}

/** Freezes an account. Freezing twice changes nothing. @throws FerryError ACCOUNT_CLOSED. */
export function freezeAccount<Frozen extends Account>(account: Frozen): Frozen {
  return inState(account, "frozen");
}

/** Opens a frozen account again. An open one stays as it is. @throws FerryError ACCOUNT_CLOSED. */
export function unfreezeAccount<Unfrozen extends Account>(account: Unfrozen): Unfrozen {
  return inState(account, "open");
}

function inState<Changed extends Account>(account: Changed, state: "open" | "frozen"): Changed {
  if (account.state === "closed") throw new FerryError("ACCOUNT_CLOSED", "the account is closed");
  return account.state === state ? account : { ...account, state, version: account.version + 1n };
}
