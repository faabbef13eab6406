import type { Destination, TransferRequest } from "../domain/transfer.ts";

/** What a transfer's saga knows: all that its commands need. Kept as JSON, so amounts are decimal digits. */
export interface TransferSagaState {
  memberId: string;
  sourceAccountId: string;
  destination: Destination;
  currency: string;
  amountMinor: string;
  memo: string;
}

export function sagaStateOf(request: TransferRequest): TransferSagaState {
  const { memberId, sourceAccountId, destination, currency, amountMinor, memo } = request;
  return { memberId, sourceAccountId, destination, currency, amountMinor: amountMinor.toString(), memo };
}

/** What was asked for, back from what the saga knows. */
export function requestOf({ amountMinor, ...rest }: TransferSagaState): TransferRequest {
  return { ...rest, amountMinor: BigInt(amountMinor) };
}

export function amountOf(state: TransferSagaState) {
  return { currency: state.currency, minorUnits: BigInt(state.amountMinor) };
}

/** The payee's account at a bank. @throws for a transfer within the platform: its saga has no step that asks. */
export function bankAccountOf({ destination }: TransferSagaState) {
  if (destination.kind !== "bank") throw new Error("a transfer within the platform has no bank account");
  return { bankCode: destination.bankCode, accountNumber: destination.accountNumber };
}
