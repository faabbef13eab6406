import type { TopUpRequest } from "../domain/top-up.ts";

/** What a top-up's saga knows: all that its commands need. Kept as JSON, so amounts are decimal digits. */
export interface TopUpSagaState extends Omit<TopUpRequest, "amountMinor"> {
  amountMinor: string;
}

export function sagaStateOf(request: TopUpRequest): TopUpSagaState {
  const { memberId, accountId, bankCode, accountNumber, currency, amountMinor } = request;
  return { memberId, accountId, bankCode, accountNumber, currency, amountMinor: amountMinor.toString() };
}
