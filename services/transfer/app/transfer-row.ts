import type { TransferRequest, TransferState } from "../domain/transfer.ts";

/** A transfer that is about to be recorded. */
export interface NewTransfer extends TransferRequest {
  id: string;
  /** SHA-256 of the request as it was decoded, UUIDs in lower case: tells a replay from a key that is used again. */
  requestHash: Uint8Array;
}

/** A request to record a transfer, with the trace that it came in: a set of many has many. */
export interface CreateTransfer {
  transfer: NewTransfer;
  traceparent: string | undefined;
}

/** A transfer as it is recorded. Of one on its way the saga says how far it is: see `transfer-standing.ts`. */
export interface TransferRow extends NewTransfer {
  state: TransferState;
  failure: { code: string; message: string } | undefined;
  /** Rises with each change. */
  version: bigint;
  createdAt: Date;
  updatedAt: Date;
}

/** What becomes of a transfer. */
export interface TransferChange {
  id: string;
  state: TransferState;
  failure: { code: string; message: string } | undefined;
  version: bigint;
  updatedAt: Date;
}
