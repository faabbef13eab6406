import { FerryError } from "@ferry/platform/errors";

export type RefundState = "REQUESTED" | "BOOKED" | "COMPLETED" | "FAILED";

/** Whether a refund has come to its end. */
export function isRefundOver(state: RefundState): boolean {
  return state === "COMPLETED" || state === "FAILED";
}

export interface RefundRequest {
  /** Who asks. */
  memberId: string;
  paymentId: string;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
  /** Where the money goes; undefined: to the account that paid. */
  bankAccount: { bankCode: string; accountNumber: string } | undefined;
  memo: string;
}

/** What is known of the payment under its lock. */
export interface RefundablePayment {
  state: string;
  merchantMemberId: string;
  currency: string;
  amountMinor: bigint;
  /** Refunds on their way and completed. */
  refundedMinor: bigint;
}

/**
 * Refuses a refund that must not be recorded.
 *
 * @throws FerryError MEMBER_SUSPENDED; NOT_FOUND when the caller is not the merchant of a completed
 * payment; CURRENCY_MISMATCH, REFUND_EXCEEDS_PAYMENT.
 */
export function checkRefund(
  request: RefundRequest,
  memberState: "active" | "suspended" | undefined,
  payment: RefundablePayment | undefined,
): void {
  if (memberState === undefined) throw new FerryError("NOT_FOUND", "no such member");
  if (memberState === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
  if (payment?.merchantMemberId !== request.memberId || payment.state !== "COMPLETED")
    throw new FerryError("NOT_FOUND", `payment_id: no payment ${request.paymentId} to an account of yours`);
  if (payment.currency !== request.currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the payment is in ${payment.currency}`);
  const leftMinor = payment.amountMinor - payment.refundedMinor;
  if (request.amountMinor > leftMinor)
    throw new FerryError("REFUND_EXCEEDS_PAYMENT", `amount: of the payment ${leftMinor} minor units are left`);
}

interface Failure {
  code: string;
  message: string;
}

/** What ledger and banking say of a refund. */
export type RefundNews =
  | { kind: "booked"; towardsBank: boolean }
  | { kind: "not-booked"; failure: Failure }
  | { kind: "paid-out" }
  | { kind: "taken-back"; failure: Failure };

export interface RefundChange {
  state: RefundState;
  failure: Failure | undefined;
}

/**
 * What news change; undefined: nothing. The news come on two topics, so what banking says may come before
 * what the ledger said first: each end is an end, whatever comes after it or came to be heard before.
 */
export function hearOf(state: RefundState, news: RefundNews): RefundChange | undefined {
  if (isRefundOver(state)) return undefined;
  switch (news.kind) {
    case "booked":
      if (!news.towardsBank) return { state: "COMPLETED", failure: undefined };
      return state === "BOOKED" ? undefined : { state: "BOOKED", failure: undefined };
    case "not-booked":
      return state === "BOOKED" ? undefined : { state: "FAILED", failure: news.failure };
    case "paid-out":
      return { state: "COMPLETED", failure: undefined };
    case "taken-back":
      return { state: "FAILED", failure: news.failure };
    default:
      return news satisfies never;
  }
}
