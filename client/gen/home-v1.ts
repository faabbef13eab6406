// Made by `npm run generate` from the contracts; do not edit.
import type { Call } from "../calls.ts";
import type { ListAccountsResponse } from "./ledger-v1.ts";
import type { Member } from "./member-v1.ts";
import type { ListPaymentsResponse } from "./payment-v1.ts";
import type { ListTransferBatchesResponse, ListTransfersResponse } from "./transfer-v1.ts";
import type { MissingPart } from "./types-v1.ts";

export interface GetHomeRequest {
}

export interface GetHomeResponse {
  member?: Member;
  /** The oldest accounts, up to 50; the rest by ListAccounts, with the page token. */
  accounts?: ListAccountsResponse;
  /** The ten latest; the rest by ListTransfers. */
  transfers?: ListTransfersResponse;
  /** The ten latest that the caller made; the rest by ListPayments. */
  payments?: ListPaymentsResponse;
  /** The five latest; the rest by ListTransferBatches. */
  batches?: ListTransferBatchesResponse;
  /** What the answer lacks, and why; empty when it is whole. */
  missing: MissingPart[];
}

export interface HomeCalls {
  /**
   * Tells what a first screen shows: the caller, the first of the caller's accounts, and the latest transfers,
   * payments and batches. All is asked for at once; what does not come in time, or fails, is named in `missing`,
   * and the rest is answered. Errors: when every part fails, that of the first; UNAUTHENTICATED, MEMBER_SUSPENDED
   * and their like always.
   *
   * `GET /v1/home`
   */
  getHome: Call<GetHomeRequest, GetHomeResponse>;
}
