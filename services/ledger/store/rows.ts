import type { Account } from "../domain/account.ts";
import type { Arrival, Credit, Hold } from "../domain/books.ts";
import type { Refusal } from "../domain/commands.ts";

export interface AccountRow {
  id: string;
  kind: Account["kind"];
  owner_id: string | null;
  currency: string;
  balance: bigint;
  held: bigint;
  state: Account["state"];
  version: bigint;
}

export function toAccount(row: AccountRow): Account {
  return {
    id: row.id,
    kind: row.kind,
    ownerId: row.owner_id ?? undefined,
    currency: row.currency,
    balanceMinor: row.balance,
    heldMinor: row.held,
    state: row.state,
    version: row.version,
  };
}

export interface HoldRow {
  transfer_id: string;
  account_id: string;
  state: Hold["state"];
  payer_id: string | null;
  amount: bigint | null;
  currency: string | null;
  destination_id: string | null;
  refusal: Refusal | null;
}

export function toHold(row: HoldRow): Hold {
  const { payer_id: payerMemberId, amount: amountMinor, currency } = row;
  const hasTerms = payerMemberId !== null && amountMinor !== null && currency !== null;
  return {
    transferId: row.transfer_id,
    accountId: row.account_id,
    state: row.state,
    terms: hasTerms
      ? { payerMemberId, amountMinor, currency, destinationAccountId: row.destination_id ?? undefined }
      : undefined,
    refusal: row.refusal ?? undefined,
  };
}

export interface CreditRow {
  reference: string;
  account_id: string;
  amount: bigint;
  currency: string;
  bank_code: string;
  refusal: Refusal | null;
}

export function toCredit(row: CreditRow): Credit {
  return {
    reference: row.reference,
    accountId: row.account_id,
    amountMinor: row.amount,
    currency: row.currency,
    bankCode: row.bank_code,
    refusal: row.refusal ?? undefined,
  };
}

export interface ArrivalRow {
  reference: string;
  account_id: string;
  amount: bigint;
  currency: string;
  from_shard: number;
}

export function toArrival(row: ArrivalRow): Arrival {
  return {
    reference: row.reference,
    accountId: row.account_id,
    amountMinor: row.amount,
    currency: row.currency,
    fromShard: row.from_shard,
  };
}
