import type { Reason } from "@ferry/platform/errors";
import type { AccountId } from "./account.ts";

/** Sets money aside for a transfer. */
export interface PlaceHold {
  kind: "place-hold";
  transferId: string;
  sourceAccountId: AccountId;
  payerMemberId: string;
  amountMinor: bigint;
  currency: string;
  /** Where the money is to go on the platform; undefined when it goes to a bank. */
  destinationAccountId: AccountId | undefined;
  /** Its time was over when it was received: it is not carried out, but an answer given before is given again. */
  expired: boolean;
  /** A lack of money is answered and not kept: the same transfer id may be asked for again. Default false. */
  provisional?: boolean;
}

/** Where held money goes. Shard: an account in another database, told by that database's position among them. */
export type Destination =
  | { kind: "account"; accountId: AccountId }
  | { kind: "bank"; bankCode: string }
  | { kind: "shard"; accountId: AccountId; peerShard: number };

/** Turns a hold into postings. */
export interface SettleHold {
  kind: "settle-hold";
  transferId: string;
  sourceAccountId: AccountId;
  destination: Destination;
}

/** Gives a hold back. */
export interface ReleaseHold {
  kind: "release-hold";
  transferId: string;
  sourceAccountId: AccountId;
}

/** Books money that came in from a bank. */
export interface CreditAccount {
  kind: "credit-account";
  /** The top-up that brought the money. */
  reference: string;
  accountId: AccountId;
  amountMinor: bigint;
  currency: string;
  bankCode: string;
}

/** Books money that was paid in another shard and handed over. */
export interface ReceiveTransfer {
  kind: "receive-transfer";
  /** The transfer that brought the money. */
  reference: string;
  accountId: AccountId;
  amountMinor: bigint;
  currency: string;
  fromShard: number;
}

export type Command = PlaceHold | SettleHold | ReleaseHold | CreditAccount | ReceiveTransfer;

/** What a command is about: its transfer, or the top-up or transfer that brought the money. */
export function referenceOf(command: Command): string {
  return "transferId" in command ? command.transferId : command.reference;
}

/** The account whose database carries a command out. */
export function homeOf(command: Command): AccountId {
  return "sourceAccountId" in command ? command.sourceAccountId : command.accountId;
}

/** Why a command was not carried out; in words in `refusalMessages`. */
export type Refusal = Extract<
  Reason,
  | "ACCOUNT_CLOSED"
  | "ACCOUNT_FROZEN"
  | "ACCOUNT_UNKNOWN"
  | "AMOUNT_OUT_OF_RANGE"
  | "CURRENCY_MISMATCH"
  | "DESTINATION_UNKNOWN"
  | "EXPIRED"
  | "HOLD_RELEASED"
  | "HOLD_UNKNOWN"
  | "INSUFFICIENT_BALANCE"
  | "REFERENCE_REUSED"
  | "SAME_ACCOUNT"
>;

export const refusalMessages: Readonly<Record<Refusal, string>> = {
  ACCOUNT_CLOSED: "the account is closed",
  ACCOUNT_FROZEN: "the account is frozen, and takes no new holds",
  ACCOUNT_UNKNOWN: "the account does not exist, or is not the payer's",
  AMOUNT_OUT_OF_RANGE: "the balance would leave the range of an int64",
  CURRENCY_MISMATCH: "the amount's currency is not the account's",
  DESTINATION_UNKNOWN: "the destination account does not exist",
  EXPIRED: "the command came after its expiry and was not carried out",
  HOLD_RELEASED: "the hold was released before it was placed, or is over",
  HOLD_UNKNOWN: "there is no such hold",
  INSUFFICIENT_BALANCE: "the account's available balance is below the amount",
  REFERENCE_REUSED: "the same reference was used before, for something else",
  SAME_ACCOUNT: "source and destination are the same account",
};
