import type { RefundChange, RefundRequest, RefundState } from "../domain/refund.ts";

/** A refund that is about to be recorded. */
export interface NewRefund extends RefundRequest {
  id: string;
  /** SHA-256 of the request as it was decoded, UUIDs in lower case: tells a replay from a key that is used again. */
  requestHash: Uint8Array;
}

/** A refund as it is recorded, with what is known of its payment. */
export interface RefundRow {
  id: string;
  paymentId: string;
  requestHash: Uint8Array;
  /** The payer of the payment. */
  memberId: string;
  merchantMemberId: string;
  currency: string;
  /** Minor units of the currency. */
  amountMinor: bigint;
  bankAccount: { bankCode: string; accountNumber: string } | undefined;
  memo: string;
  state: RefundState;
  failure: { code: string; message: string } | undefined;
  /** Rises by one with each change. */
  version: bigint;
  createdAt: Date;
  updatedAt: Date;
}

/** What becomes of a refund. */
export interface RefundMove extends RefundChange {
  id: string;
}
