import { type PaymentRequest, topUpAmountOf } from "../domain/payment.ts";
import type { TopUpSagaState } from "./state.ts";

/** What a payment's saga knows: all that its commands need, and by how much the balance was short. */
export interface PaySagaState extends PaymentRequest {
  /** Minor units; absent while the balance was not found to be too low. */
  missingMinor?: bigint;
}

export function paySagaStateOf(request: PaymentRequest): PaySagaState {
  const { memberId, sourceAccountId, merchantAccountId, currency, amountMinor, memo, topUp } = request;
  return { memberId, sourceAccountId, merchantAccountId, currency, amountMinor, memo, topUp };
}

/** Whether the balance was too low when the money was first asked for. */
export function isShort({ missingMinor }: PaySagaState): boolean {
  return missingMinor !== undefined;
}

/** What the payment's top-up is to bring in; undefined when there is to be none. */
export function topUpStateOf(state: PaySagaState): TopUpSagaState | undefined {
  const { memberId, sourceAccountId: accountId, currency, topUp, missingMinor = 0n } = state;
  const amountMinor = topUpAmountOf(topUp, missingMinor);
  if (topUp === undefined || amountMinor === undefined) return undefined;
  const { bankCode, accountNumber } = topUp;
  return { memberId, accountId, bankCode, accountNumber, currency, amountMinor: amountMinor.toString() };
}
