import { FerryError } from "@ferry/platform/errors";

/** UUID, in small letters. */
export type AccountId = string;

/** What the ledger knows of an account while it decides. Amounts are minor units of the account's currency. */
export interface Account {
  id: AccountId;
  /** Members own theirs; clearing and suspense are the platform's own, see internal-accounts.ts. */
  kind: "member" | "clearing" | "suspense";
  /** The member's id; undefined for the platform's own. */
  ownerId: string | undefined;
  currency: string;
  /** Sum of all postings. */
  balanceMinor: bigint;
  /** Sum of open holds, part of the balance. */
  heldMinor: bigint;
  state: "open" | "closed";
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
 * later must find the money that it set aside.
 */
export function closeAccount<Closed extends Account>(account: Closed): Closed {
  if (account.state === "closed") return account;
  if (account.heldMinor !== 0n) throw new FerryError("ACCOUNT_NOT_EMPTY", "a hold is open on the account");
  if (account.balanceMinor !== 0n) throw new FerryError("ACCOUNT_NOT_EMPTY", "there is money on the account");
  return { ...account, state: "closed", version: account.version + 1n };
}
