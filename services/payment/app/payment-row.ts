import type { PaymentRequest, PaymentState } from "../domain/payment.ts";

/** A payment that is about to be recorded. */
export interface NewPayment extends PaymentRequest {
  id: string;
  /** SHA-256 of the request as it was decoded, UUIDs in lower case: tells a replay from a key that is used again. */
  requestHash: Uint8Array;
}

/** A payment as it is recorded. */
export interface PaymentRow extends NewPayment {
  /** Owner of the merchant's account. */
  merchantMemberId: string;
  state: PaymentState;
  failure: { code: string; message: string } | undefined;
  /** The top-up that it began by itself. */
  topUpId: string | undefined;
  /** Sum of the refunds that are on their way or completed, in minor units. */
  refundedMinor: bigint;
  /** Rises by one with each change. */
  version: bigint;
  createdAt: Date;
  updatedAt: Date;
}

export interface PaymentChange {
  id: string;
  state: PaymentState;
  failure: { code: string; message: string } | undefined;
  /** Undefined: as it was. */
  topUpId: string | undefined;
}

/** Creation time (microseconds since 1970, digits) and id of a row: where the next page of a list begins. */
export type Position = readonly [time: string, id: string];
