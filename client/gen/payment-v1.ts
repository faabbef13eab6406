// Made by `npm run generate` from the contracts; do not edit.
import type { Call, CallOptions, PagedCall, WithKey, WithWait } from "../calls.ts";
import type { BankAccount, BankAccountInput, Failure, Money, MoneyInput } from "./types-v1.ts";

export interface CancelPaymentRequest {
  paymentId: string;
}

export interface CancelPaymentResponse {
  payment: Payment;
}

export interface CreatePaymentRequest {
  /** An open account of the caller's, UUID. */
  sourceAccountId: string;
  /** An open account of another member, UUID. */
  merchantAccountId: string;
  /** Above zero, in the currency of both accounts. */
  amount: MoneyInput;
  /** Up to 140 characters for the merchant. */
  memo?: string;
  /** Absent: a balance that is too low fails the payment. */
  topUp?: PaymentTopUpInput;
}

export interface CreatePaymentResponse {
  payment: Payment;
}

export interface CreateRefundRequest {
  /** A completed payment of which the caller is the merchant, UUID. */
  paymentId: string;
  /** Above zero, in the payment's currency; at most what is left of the payment. */
  amount: MoneyInput;
  /** An account at a bank that the payer wants the money on; absent: the account that paid. */
  bankAccount?: BankAccountInput;
  /** Up to 140 characters for the payer. */
  memo?: string;
}

export interface CreateRefundResponse {
  refund: Refund;
}

export interface CreateTopUpRequest {
  /** An open account of the caller's, UUID. */
  accountId: string;
  /** Where the money comes from. */
  bankAccount: BankAccountInput;
  /** Above zero, in the account's currency. */
  amount: MoneyInput;
}

export interface CreateTopUpResponse {
  topUp: TopUp;
}

export interface GetPaymentRequest {
  paymentId: string;
}

export interface GetPaymentResponse {
  payment: Payment;
}

export interface GetRefundRequest {
  paymentId: string;
  refundId: string;
}

export interface GetRefundResponse {
  refund: Refund;
}

export interface GetTopUpRequest {
  topUpId: string;
}

export interface GetTopUpResponse {
  topUp: TopUp;
}

export interface ListPaymentsRequest {
  /** Only payments in this state; unspecified: all. */
  state?: PaymentState;
  /** True: the completed payments that the caller received, instead of those that the caller made. */
  received?: boolean;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListPaymentsResponse {
  payments: Payment[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListRefundsRequest {
  paymentId: string;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListRefundsResponse {
  refunds: Refund[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface Payment {
  /** UUID, made from the member, the method and the idempotency key. */
  id: string;
  state: PaymentState;
  /** With FAILED, CANCELED and PARKED. */
  failure?: Failure;
  /** Empty when the merchant asks. */
  sourceAccountId: string;
  merchantAccountId: string;
  amount?: Money;
  memo: string;
  /** As it was asked for. Absent when the merchant asks. */
  topUp?: PaymentTopUp;
  /** The top-up that the payment began: see GetTopUp. Empty when none was needed, or the merchant asks. */
  topUpId: string;
  /** Sum of the refunds that are on their way or completed. */
  refunded?: Money;
  /** None when the merchant asks. */
  steps: Step[];
  createTime?: string;
  updateTime?: string;
}

export interface PaymentCalls {
  /**
   * Records a top-up and sets it on its way: the bank is asked for the money under the member's mandate, then it
   * is booked to the account. With metadata "prefer: wait=SECONDS" the answer comes at its end. The same
   * idempotency key with the same request gets the same top-up. Errors, all of which mean that nothing was
   * recorded: NOT_FOUND (no such account, or another's), MEMBER_SUSPENDED, CURRENCY_MISMATCH, ACCOUNT_CLOSED,
   * IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, INVALID_REQUEST.
   *
   * `POST /v1/top-ups`
   */
  createTopUp: Call<CreateTopUpRequest, CreateTopUpResponse, CallOptions & WithKey & WithWait>;
  /**
   * Tells one top-up of the caller's. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/top-ups/{top_up_id}`
   */
  getTopUp: Call<GetTopUpRequest, GetTopUpResponse>;
  /**
   * Records a payment to a merchant (an account on the platform of another member) and sets it on its way: the
   * amount is set aside, then it goes over. With top_up, a balance that is too low is topped up first, from a bank
   * under the member's mandate, and the payment waits for it. With metadata "prefer: wait=SECONDS" the answer
   * comes at its end. The same idempotency key with the same request gets the same payment.
   *
   * What a top-up has brought stays the member's own, whatever becomes of the payment: when somebody else has
   * spent it in the meantime the payment fails with INSUFFICIENT_BALANCE, and when the payment is canceled while
   * its top-up is under way the money comes all the same. A top-up that is parked keeps its payment waiting; one
   * that fails fails it, with its reason.
   *
   * Errors, all of which mean that nothing was recorded: NOT_FOUND (no such source account, or another's),
   * MEMBER_SUSPENDED, CURRENCY_MISMATCH, ACCOUNT_CLOSED, SAME_ACCOUNT (the merchant's account is the caller's
   * own), DESTINATION_UNKNOWN, IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS,
   * INVALID_REQUEST.
   *
   * `POST /v1/payments`
   */
  createPayment: Call<CreatePaymentRequest, CreatePaymentResponse, CallOptions & WithKey & WithWait>;
  /**
   * Tells one payment of the caller's: to its payer, and, once it is completed, to its merchant, who sees neither
   * the payer's account nor the steps. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/payments/{payment_id}`
   */
  getPayment: Call<GetPaymentRequest, GetPaymentResponse>;
  /**
   * Lists the payments that the caller made, or those that the caller received, newest first. Errors:
   * PAGE_TOKEN_INVALID.
   *
   * `GET /v1/payments`
   */
  listPayments: PagedCall<ListPaymentsRequest, ListPaymentsResponse, ListPaymentsResponse["payments"][number]>;
  /**
   * Takes a payment back, as long as its money has not gone over. What was set aside is given back first: the
   * answer shows the payment on its way to CANCELED, or there. Canceling twice changes nothing. Errors: NOT_FOUND,
   * PAYMENT_NOT_CANCELABLE.
   *
   * `POST /v1/payments/{payment_id}:cancel`
   */
  cancelPayment: Call<CancelPaymentRequest, CancelPaymentResponse>;
  /**
   * Records a refund, a part of a payment or all of it, and announces it: nobody coordinates it. Ledger hears of
   * it and books it from the merchant's account, banking pays out what goes to a bank, and each says what it did;
   * when the bank refuses, each takes its own part back. Only the merchant may ask. Several refunds of one payment
   * may come to its whole amount, never to more, also when they are asked for at once. With metadata "prefer:
   * wait=SECONDS" the answer comes at its end. The same idempotency key with the same request gets the same
   * refund. Errors, all of which mean that nothing was recorded: NOT_FOUND (no such payment of which the caller is
   * the merchant), MEMBER_SUSPENDED, REFUND_EXCEEDS_PAYMENT, CURRENCY_MISMATCH, IDEMPOTENCY_KEY_INVALID,
   * IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, INVALID_REQUEST.
   *
   * `POST /v1/payments/{payment_id}/refunds`
   */
  createRefund: Call<CreateRefundRequest, CreateRefundResponse, CallOptions & WithKey & WithWait>;
  /**
   * Tells one refund to the payment's merchant and to its payer. Errors: NOT_FOUND.
   *
   * `GET /v1/payments/{payment_id}/refunds/{refund_id}`
   */
  getRefund: Call<GetRefundRequest, GetRefundResponse>;
  /**
   * Lists the refunds of a payment to its merchant and to its payer, newest first. Errors: NOT_FOUND,
   * PAGE_TOKEN_INVALID.
   *
   * `GET /v1/payments/{payment_id}/refunds`
   */
  listRefunds: PagedCall<ListRefundsRequest, ListRefundsResponse, ListRefundsResponse["refunds"][number]>;
}

export type PaymentState =
  | "PAYMENT_STATE_UNSPECIFIED"
  /** Recorded. */
  | "PAYMENT_STATE_ACCEPTED"
  /** The balance was too low: a top-up is on its way, and the payment waits for it. */
  | "PAYMENT_STATE_TOPPING_UP"
  /** The money is set aside on the payer's account. */
  | "PAYMENT_STATE_HELD"
  /** The merchant has the money. An end. */
  | "PAYMENT_STATE_COMPLETED"
  /** Did not succeed, and all that was done is undone; what a top-up brought stays the payer's. An end. */
  | "PAYMENT_STATE_FAILED"
  /** Taken back by the payer. An end. */
  | "PAYMENT_STATE_CANCELED"
  /** Waits for an operator. */
  | "PAYMENT_STATE_PARKED";

/** How a payment tops up by itself when the balance is too low. */
export interface PaymentTopUp {
  /** Where the money comes from. */
  bankAccount?: BankAccount;
  /**
   * How much is brought in when the balance is too low, in the payment's currency. Absent: what is missing. When
   * it is less than what is missing nothing is brought in, and the payment fails.
   */
  amount?: Money;
}

/** How a payment tops up by itself when the balance is too low. */
export interface PaymentTopUpInput {
  /** Where the money comes from. */
  bankAccount: BankAccountInput;
  /**
   * How much is brought in when the balance is too low, in the payment's currency. Absent: what is missing. When
   * it is less than what is missing nothing is brought in, and the payment fails.
   */
  amount?: MoneyInput;
}

export interface Refund {
  /**
   * UUID, made from the member, the method and the idempotency key. Entries of both accounts carry it as their
   * reference.
   */
  id: string;
  paymentId: string;
  state: RefundState;
  /** With FAILED. */
  failure?: Failure;
  amount?: Money;
  /** Where the money goes; absent: to the account that paid. */
  bankAccount?: BankAccount;
  memo: string;
  createTime?: string;
  updateTime?: string;
}

export type RefundState =
  | "REFUND_STATE_UNSPECIFIED"
  /** Recorded and announced; its amount counts as refunded. */
  | "REFUND_STATE_REQUESTED"
  /** Booked from the merchant's account, and on its way to the bank. */
  | "REFUND_STATE_BOOKED"
  /** The payer has the money, on the platform or at the bank. An end. */
  | "REFUND_STATE_COMPLETED"
  /** Did not succeed; the merchant has the money again, and its amount can be refunded again. An end. */
  | "REFUND_STATE_FAILED";

export interface Step {
  /** As "place-hold". */
  name: string;
  state: StepState;
  /** Absent until the step began. */
  startTime?: string;
  /** Absent until the step ended. */
  endTime?: string;
  attempts: number;
}

export type StepState =
  | "STEP_STATE_UNSPECIFIED"
  | "STEP_STATE_PENDING"
  | "STEP_STATE_RUNNING"
  | "STEP_STATE_DONE"
  | "STEP_STATE_FAILED"
  /** What became of it is being asked. */
  | "STEP_STATE_UNKNOWN"
  | "STEP_STATE_UNDOING"
  | "STEP_STATE_UNDONE"
  /** An operator went on without it. */
  | "STEP_STATE_SKIPPED"
  /** It was not needed, as a top-up where the balance was enough. */
  | "STEP_STATE_NOT_NEEDED";

export interface TopUp {
  /** UUID, made from the member, the method and the idempotency key. */
  id: string;
  state: TopUpState;
  /** With FAILED and PARKED. */
  failure?: Failure;
  accountId: string;
  bankAccount?: BankAccount;
  amount?: Money;
  createTime?: string;
  updateTime?: string;
  /** The payment that began it by itself. Empty when it was asked for. */
  paymentId: string;
}

export type TopUpState =
  | "TOP_UP_STATE_UNSPECIFIED"
  /** Recorded. */
  | "TOP_UP_STATE_ACCEPTED"
  /** The bank has given the money. */
  | "TOP_UP_STATE_COLLECTED"
  /** Booked to the account. An end. */
  | "TOP_UP_STATE_COMPLETED"
  /** Did not succeed; no money was moved. An end. */
  | "TOP_UP_STATE_FAILED"
  /** Waits for an operator. */
  | "TOP_UP_STATE_PARKED";
