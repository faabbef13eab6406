// Made by `npm run generate` from the contracts; do not edit.
import type { Call, CallOptions, Int64Input, PagedCall, StreamCall, TimeInput, WithKey, WithRawBody, WithWait } from "../calls.ts";
import type { BankAccount, BankAccountInput, Failure, Money, MoneyInput } from "./types-v1.ts";

export interface CancelTransferBatchRequest {
  batchId: string;
}

export interface CancelTransferBatchResponse {
  batch: TransferBatch;
}

export interface CancelTransferRequest {
  transferId: string;
}

export interface CancelTransferResponse {
  transfer: Transfer;
}

export interface CreateTransferBatchRequest {
  /** Account of the lines that name none, UUID; an open account of the caller's. */
  sourceAccountId: string;
  /** Unspecified: BEST_EFFORT. */
  mode?: TransferBatchMode;
  /** 1 to 10,000; empty when the lines come as CSV. */
  lines?: readonly TransferBatchLineInput[];
  /**
   * The lines as CSV (RFC 4180, UTF-8): a header line with the names reference, sourceAccountId,
   * destinationAccountId, bankCode, accountNumber, currency, minorUnits, memo in any order; currency and
   * minorUnits must be there, and destinationAccountId or bankCode and accountNumber. At the edge it is the body
   * itself, with content type text/csv.
   */
  csv?: string;
  /** Begins then, at most 366 days ahead. Absent: at once. */
  executeTime?: TimeInput;
  /**
   * What has not been sent by then is taken back. Absent: never in BEST_EFFORT, 10 minutes after the beginning in
   * ALL_OR_NOTHING.
   */
  expireTime?: TimeInput;
}

export interface CreateTransferBatchResponse {
  batch: TransferBatch;
}

export interface CreateTransferRequest {
  /** An open account of the caller's, UUID. */
  sourceAccountId: string;
  destination: DestinationInput;
  /** Above zero, in the source account's currency. */
  amount: MoneyInput;
  /** Up to 140 characters for the payee. */
  memo?: string;
  /**
   * Begins then, at most 366 days ahead; member and accounts are checked now and once more then. Absent: at once.
   */
  executeTime?: TimeInput;
  /**
   * A transfer whose money has not been sent by then is undone, and FAILED with TRANSFER_EXPIRED. After now and
   * after execute_time, at most 366 days ahead. Absent: it does not expire.
   */
  expireTime?: TimeInput;
}

export interface CreateTransferResponse {
  transfer: Transfer;
}

/** Where the money goes. */
export interface Destination {
  /** An account on the platform, UUID. */
  accountId?: string;
  /** An account at a bank. */
  bankAccount?: BankAccount;
}

/** Where the money goes. */
export type DestinationInput = ({ accountId: string; bankAccount?: never } | { accountId?: never; bankAccount: BankAccountInput });

export interface GetTransferBatchRequest {
  batchId: string;
}

export interface GetTransferBatchResponse {
  batch: TransferBatch;
}

export interface GetTransferRequest {
  transferId: string;
}

export interface GetTransferResponse {
  transfer: Transfer;
}

export interface ListTransferBatchLinesRequest {
  batchId: string;
  /** Only lines in this state; unspecified: all. */
  state?: TransferBatchLineState;
  /** 1 to 1,000; 0 means 100. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListTransferBatchLinesResponse {
  lines: TransferBatchLineResult[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListTransferBatchesRequest {
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListTransferBatchesResponse {
  batches: TransferBatch[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface ListTransfersRequest {
  /** Only transfers in this state; unspecified: all. */
  state?: TransferState;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListTransfersResponse {
  transfers: Transfer[];
  /** Empty on the last page. */
  nextPageToken: string;
}

export interface Step {
  /** As "verify-account". */
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
  /** The transfer had no need of it, and it was never asked. */
  | "STEP_STATE_NOT_NEEDED";

export interface Transfer {
  /** UUID, made from the member, the method and the idempotency key. */
  id: string;
  state: TransferState;
  /** With FAILED, CANCELED and PARKED. */
  failure?: Failure;
  sourceAccountId: string;
  destination?: Destination;
  amount?: Money;
  memo: string;
  steps: Step[];
  createTime?: string;
  updateTime?: string;
  /** Absent: it began at once. */
  executeTime?: string;
  /** What has not been sent by then is undone. Absent: it does not expire. */
  expireTime?: string;
  /** The batch that it is a line of, UUID; empty for none. */
  batchId: string;
  /** Its line in the batch, from 1; 0 for none. */
  batchLine: number;
}

export interface TransferBatch {
  /** UUID, made from the member, the method and the idempotency key. */
  id: string;
  state: TransferBatchState;
  mode: TransferBatchMode;
  /** With STOPPING, FAILED and CANCELED. */
  failure?: Failure;
  /** Account of the lines that name none; may be empty. */
  sourceAccountId: string;
  lineCount: number;
  counts?: TransferBatchCounts;
  /** Absent: at once. */
  executeTime?: string;
  /** What has not been sent by then is taken back. Absent: never. */
  expireTime?: string;
  createTime?: string;
  /** Absent until it has ended. */
  endTime?: string;
}

/** How many lines are in which state. */
export interface TransferBatchCounts {
  pending: number;
  running: number;
  held: number;
  completed: number;
  failed: number;
  canceled: number;
  parked: number;
  duplicate: number;
}

/** One line as it is asked for. Its fields are checked line by line: a bad one is a result. */
export interface TransferBatchLineInput {
  /** An open account of the caller's, UUID; empty: the batch's. */
  sourceAccountId?: string;
  destination?: DestinationInput;
  /** Above zero, in the source account's currency. */
  amount?: MoneyInput;
  /** Up to 140 characters for the payee. */
  memo?: string;
  /** The caller's own name of the line, up to 64 characters; the same twice is one line. */
  reference?: string;
}

/** What became of a line. */
export interface TransferBatchLineResult {
  /** From 1, in the order of the request; the header of a CSV is not counted. */
  line: number;
  reference: string;
  state: TransferBatchLineState;
  /** With FAILED, CANCELED, PARKED and DUPLICATE. */
  failure?: Failure;
  /** Empty when no transfer was begun for it. */
  transferId: string;
  /** Absent where the line did not say a readable one. */
  amount?: Money;
}

export type TransferBatchLineState =
  | "TRANSFER_BATCH_LINE_STATE_UNSPECIFIED"
  /** Recorded; its transfer has not begun. */
  | "TRANSFER_BATCH_LINE_STATE_PENDING"
  /** Its transfer is on its way. */
  | "TRANSFER_BATCH_LINE_STATE_RUNNING"
  /** Of ALL_OR_NOTHING: verified and held, waits for the others. */
  | "TRANSFER_BATCH_LINE_STATE_HELD"
  /** Paid. An end. */
  | "TRANSFER_BATCH_LINE_STATE_COMPLETED"
  /** Not paid; `failure` says why. Without a transfer id no transfer was begun. An end. */
  | "TRANSFER_BATCH_LINE_STATE_FAILED"
  /** Taken back by the payer. An end. */
  | "TRANSFER_BATCH_LINE_STATE_CANCELED"
  /** Waits for an operator. */
  | "TRANSFER_BATCH_LINE_STATE_PARKED"
  /**
   * The same as an earlier line: the same reference, or, without one, the same accounts, amount and memo. Not paid
   * a second time. An end.
   */
  | "TRANSFER_BATCH_LINE_STATE_DUPLICATE";

export type TransferBatchMode =
  /** BEST_EFFORT. */
  | "TRANSFER_BATCH_MODE_UNSPECIFIED"
  /** Each line is a transfer by itself: what fails does not touch the others. */
  | "TRANSFER_BATCH_MODE_BEST_EFFORT"
  /**
   * Money moves only when every line was verified and held. When one cannot be, or not all are in time, all are
   * undone. What a bank refuses after that fails alone: money that was sent cannot be taken back.
   */
  | "TRANSFER_BATCH_MODE_ALL_OR_NOTHING";

export interface TransferBatchCalls {
  /**
   * Records a batch of up to 10,000 lines and sets it on its way; each line becomes a transfer of its own. Lines
   * come as `lines`, or as a CSV body with the other fields in the query. With metadata "prefer: wait=SECONDS" the
   * answer comes at the batch's end, or in its present state when the time is over. The same idempotency key with
   * the same request gets the same batch. A line that cannot be paid is a result of that line in BEST_EFFORT; it
   * refuses the whole batch in ALL_OR_NOTHING, with BATCH_REFUSED and the lines in the details. The same line
   * twice is found and not paid twice. Errors, all of which mean that nothing was recorded: MEMBER_SUSPENDED,
   * BATCH_REFUSED, RATE_LIMITED (20 batches of the member are under way, or 100 that are to begin later),
   * IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, INVALID_REQUEST (a body that is no
   * CSV is told with line and column).
   *
   * `POST /v1/transfer-batches`
   */
  createTransferBatch: Call<CreateTransferBatchRequest, CreateTransferBatchResponse, CallOptions & WithKey & WithWait & WithRawBody<"text/csv">>;
  /**
   * Tells one batch of the caller's, with the counts of its lines by state. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/transfer-batches/{batch_id}`
   */
  getTransferBatch: Call<GetTransferBatchRequest, GetTransferBatchResponse>;
  /**
   * Lists the caller's batches, newest first. Errors: PAGE_TOKEN_INVALID.
   *
   * `GET /v1/transfer-batches`
   */
  listTransferBatches: PagedCall<ListTransferBatchesRequest, ListTransferBatchesResponse, ListTransferBatchesResponse["batches"][number]>;
  /**
   * Lists the lines of a batch in their order, with the result of each. Errors: NOT_FOUND, PAGE_TOKEN_INVALID.
   *
   * `GET /v1/transfer-batches/{batch_id}/lines`
   */
  listTransferBatchLines: PagedCall<ListTransferBatchLinesRequest, ListTransferBatchLinesResponse, ListTransferBatchLinesResponse["lines"][number]>;
  /**
   * Takes back what has not been sent: lines that were not begun never will be, and transfers that have not
   * reached their pivot are undone. The answer shows the batch on its way to CANCELED, or there. Canceling twice
   * changes nothing. Errors: NOT_FOUND; BATCH_NOT_CANCELABLE when it has ended, has failed, or, ALL_OR_NOTHING,
   * when its money is on its way.
   *
   * `POST /v1/transfer-batches/{batch_id}:cancel`
   */
  cancelTransferBatch: Call<CancelTransferBatchRequest, CancelTransferBatchResponse>;
}

export type TransferBatchState =
  | "TRANSFER_BATCH_STATE_UNSPECIFIED"
  /** Waits for its execute time. */
  | "TRANSFER_BATCH_STATE_SCHEDULED"
  /** Its lines are on their way. */
  | "TRANSFER_BATCH_STATE_RUNNING"
  /** What has not been sent is being taken back; `failure` says why. */
  | "TRANSFER_BATCH_STATE_STOPPING"
  /** Nothing moves until an operator decides about the lines that are parked. */
  | "TRANSFER_BATCH_STATE_PARKED"
  /** Every line has ended; the counts say how. An end. */
  | "TRANSFER_BATCH_STATE_COMPLETED"
  /**
   * Did not succeed as a whole (a line of ALL_OR_NOTHING failed, or the time was over) and what had not been sent
   * is undone. An end.
   */
  | "TRANSFER_BATCH_STATE_FAILED"
  /** Taken back by the payer, as far as it had not been sent. An end. */
  | "TRANSFER_BATCH_STATE_CANCELED";

export interface TransferCalls {
  /**
   * Records a transfer and sets it on its way. With metadata "prefer: wait=SECONDS" the answer comes at the
   * transfer's end, or in its present state when the time is over. The same idempotency key with the same request
   * gets the same transfer in its present state. Errors, all of which mean that nothing was recorded: NOT_FOUND
   * (no such source account, or another's), MEMBER_SUSPENDED, CURRENCY_MISMATCH, ACCOUNT_CLOSED, SAME_ACCOUNT,
   * DESTINATION_UNKNOWN, IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS,
   * INVALID_REQUEST.
   *
   * `POST /v1/transfers`
   */
  createTransfer: Call<CreateTransferRequest, CreateTransferResponse, CallOptions & WithKey & WithWait>;
  /**
   * Tells one transfer of the caller's. Errors: NOT_FOUND, for another's too.
   *
   * `GET /v1/transfers/{transfer_id}`
   */
  getTransfer: Call<GetTransferRequest, GetTransferResponse>;
  /**
   * Tells one transfer of the caller's, and again at each change that its readers see, until its end: then the
   * stream ends well. It also ends after its deadline; whoever asks again with what was told last (after_version)
   * goes on there, and is told nothing more of a transfer that has ended. Errors: NOT_FOUND, for another's too,
   * OVERLOADED.
   *
   * `GET /v1/transfers/{transfer_id}:watch`
   */
  watchTransfer: StreamCall<WatchTransferRequest, WatchTransferResponse>;
  /**
   * Lists the caller's transfers, newest first. Of one state on the way (ACCEPTED, VERIFIED, HELD, SENT) a page
   * may be shorter than asked for, or empty; while it has a next_page_token, there may be more. Errors:
   * PAGE_TOKEN_INVALID.
   *
   * `GET /v1/transfers`
   */
  listTransfers: PagedCall<ListTransfersRequest, ListTransfersResponse, ListTransfersResponse["transfers"][number]>;
  /**
   * Takes a transfer back, as long as its money has not been sent. What was done is undone first: the answer shows
   * the transfer on its way to CANCELED, or there. Canceling twice changes nothing. Errors: NOT_FOUND,
   * TRANSFER_NOT_CANCELABLE.
   *
   * `POST /v1/transfers/{transfer_id}:cancel`
   */
  cancelTransfer: Call<CancelTransferRequest, CancelTransferResponse>;
}

export type TransferState =
  | "TRANSFER_STATE_UNSPECIFIED"
  /** Recorded. */
  | "TRANSFER_STATE_ACCEPTED"
  /** The payee's account at the bank was verified. */
  | "TRANSFER_STATE_VERIFIED"
  /** The money is set aside on the payer's account. */
  | "TRANSFER_STATE_HELD"
  /** The bank has taken the payment. */
  | "TRANSFER_STATE_SENT"
  /** Settled. An end. */
  | "TRANSFER_STATE_COMPLETED"
  /** Did not succeed, and all that was done is undone. An end. */
  | "TRANSFER_STATE_FAILED"
  /** Taken back by the payer. An end. */
  | "TRANSFER_STATE_CANCELED"
  /** Waits for an operator; the money stays set aside. */
  | "TRANSFER_STATE_PARKED"
  /** Recorded, and begins at its execute time. Comes before ACCEPTED. */
  | "TRANSFER_STATE_SCHEDULED";

export interface WatchTransferRequest {
  transferId: string;
  /** Only what is newer than this version; 0: from its present state on. */
  afterVersion?: Int64Input;
}

export interface WatchTransferResponse {
  transfer: Transfer;
  /** Rises with each change. */
  version: string;
}
