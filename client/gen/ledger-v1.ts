// Made by `npm run generate` from the contracts; do not edit.
import type { Call, PagedCall } from "../calls.ts";
import type { Money } from "./types-v1.ts";

export interface Account {
  /** UUID. */
  id: string;
  currency: string;
  /** Sum of all postings. */
  balance?: Money;
  /** The balance less open holds. */
  available?: Money;
  state: AccountState;
  createTime?: string;
}

export type AccountState =
  | "ACCOUNT_STATE_UNSPECIFIED"
  | "ACCOUNT_STATE_OPEN"
  | "ACCOUNT_STATE_CLOSED"
  /** Takes no new holds; what was set aside can still be settled or released, and money still arrives. */
  | "ACCOUNT_STATE_FROZEN";

export interface CloseAccountRequest {
  accountId: string;
}

export interface CloseAccountResponse {
  account: Account;
}

/** One posting, seen from the account. */
export interface Entry {
  id: string;
  /** The transfer, top-up, payment or refund that it belongs to. */
  reference: string;
  /** Positive: the account's balance rose. */
  amount?: Money;
  /** The balance after this posting. */
  balanceAfter?: Money;
  time?: string;
}

export interface FreezeAccountRequest {
  accountId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface FreezeAccountResponse {
  account: Account;
}

export interface GetAccountRequest {
  accountId: string;
}

export interface GetAccountResponse {
  account: Account;
}

/**
 * The commands PlaceHold, SettleHold, ReleaseHold and CreditAccount also come over the bus: the request is the
 * command, the response is the reply, one handler serves both doors.
 */
export interface LedgerCalls {
  /**
   * Opens an account of the caller's, with a balance of zero. Errors: CURRENCY_UNKNOWN.
   *
   * `POST /v1/accounts`
   */
  openAccount: Call<OpenAccountRequest, OpenAccountResponse>;
  /**
   * Lists the caller's accounts, oldest first. Errors: PAGE_TOKEN_INVALID.
   *
   * `GET /v1/accounts`
   */
  listAccounts: PagedCall<ListAccountsRequest, ListAccountsResponse, ListAccountsResponse["accounts"][number]>;
  /**
   * Tells one account of the caller's. Errors: NOT_FOUND, for another's account too.
   *
   * `GET /v1/accounts/{account_id}`
   */
  getAccount: Call<GetAccountRequest, GetAccountResponse>;
  /**
   * Lists the postings on one account of the caller's, newest first. Errors: NOT_FOUND, PAGE_TOKEN_INVALID.
   *
   * `GET /v1/accounts/{account_id}/entries`
   */
  listEntries: PagedCall<ListEntriesRequest, ListEntriesResponse, ListEntriesResponse["entries"][number]>;
  /**
   * Closes an account that has neither money nor holds on it, for good. Closing twice changes nothing. Errors:
   * NOT_FOUND, ACCOUNT_NOT_EMPTY, ACCOUNT_FROZEN.
   *
   * `POST /v1/accounts/{account_id}:close`
   */
  closeAccount: Call<CloseAccountRequest, CloseAccountResponse>;
  /**
   * Freezes a member's account: it takes no new holds and cannot be closed; holds that are open can still be
   * settled or released, and credits still arrive. Freezing twice changes nothing. Errors: NOT_FOUND,
   * ACCOUNT_CLOSED.
   *
   * `POST /v1/accounts/{account_id}:freeze`
   */
  freezeAccount: Call<FreezeAccountRequest, FreezeAccountResponse>;
  /**
   * Opens a frozen account again. Unfreezing one that is open changes nothing. Errors: NOT_FOUND, ACCOUNT_CLOSED.
   *
   * `POST /v1/accounts/{account_id}:unfreeze`
   */
  unfreezeAccount: Call<UnfreezeAccountRequest, UnfreezeAccountResponse>;
}

export interface ListAccountsRequest {
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListAccountsResponse {
  accounts: Account[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListEntriesRequest {
  accountId: string;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListEntriesResponse {
  entries: Entry[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface OpenAccountRequest {
  /** ISO 4217 code. */
  currency: string;
}

export interface OpenAccountResponse {
  account: Account;
}

export interface UnfreezeAccountRequest {
  accountId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface UnfreezeAccountResponse {
  account: Account;
}
