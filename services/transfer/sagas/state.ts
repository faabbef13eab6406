import type { Destination, TransferRequest } from "../domain/transfer.ts";

/** What a transfer's saga knows: all that its commands need. Kept as JSON, so amounts are decimal digits. */
export interface TransferSagaState {
  memberId: string;
  sourceAccountId: string;
  destination: Destination;
  currency: string;
  amountMinor: string;
  memo: string;
  executeAtMs?: number | undefined;
  expireAtMs?: number | undefined;
  /** The line of a batch that it is. */
  batch?: { id: string; line: number } | undefined;
  /** When the transfer was recorded, Unix time in milliseconds, where its saga begins later than that. */
  createdAtMs?: number | undefined;
}

export function sagaStateOf(request: TransferRequest): TransferSagaState {
  const { memberId, sourceAccountId, destination, currency, amountMinor, memo, executeAtMs, expireAtMs, batch } =
    request;
  const state = { memberId, sourceAccountId, destination, currency, amountMinor: amountMinor.toString(), memo };
  if (executeAtMs === undefined && expireAtMs === undefined && batch === undefined) return state;
  return { ...state, executeAtMs, expireAtMs, batch };
}

/** What was asked for, back from what the saga knows. */
export function requestOf({ amountMinor, createdAtMs: _, ...rest }: TransferSagaState): TransferRequest {
  return { ...rest, amountMinor: BigInt(amountMinor) };
}

export function amountOf(state: TransferSagaState) {
  return { currency: state.currency, minorUnits: BigInt(state.amountMinor) };
}

/** The line of a batch that a transfer is. @throws for one of none: its saga has no step that asks. */
export function lineOf({ batch }: TransferSagaState): { id: string; line: number } {
  if (batch === undefined) throw new Error("the transfer is of no batch");
  return batch;
}

/** The payee's account at a bank. @throws for a transfer within the platform: its saga has no step that asks. */
export function bankAccountOf({ destination }: TransferSagaState) {
  if (destination.kind !== "bank") throw new Error("a transfer within the platform has no bank account");
  return { bankCode: destination.bankCode, accountNumber: destination.accountNumber };
}
