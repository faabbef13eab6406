import type { TopUpRequest, TopUpState } from "../domain/top-up.ts";

/** A top-up that is about to be recorded. */
export interface NewTopUp extends TopUpRequest {
  id: string;
  /** SHA-256 of the request as it was decoded, UUIDs in lower case: tells a replay from a key that is used again. */
  requestHash: Uint8Array;
  /** The payment that began it by itself. */
  paymentId: string | undefined;
}

/** A top-up as it is recorded. */
export interface TopUpRow extends NewTopUp {
  state: TopUpState;
  failure: { code: string; message: string } | undefined;
  /** Rises by one with each change. */
  version: bigint;
  createdAt: Date;
  updatedAt: Date;
}

export interface TopUpChange {
  id: string;
  state: TopUpState;
  failure: { code: string; message: string } | undefined;
}
