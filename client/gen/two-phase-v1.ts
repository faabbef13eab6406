// Made by `npm run generate` from the contracts; do not edit.
import type { Call } from "../calls.ts";

export interface CommitInDoubtTransactionRequest {
  transactionId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface CommitInDoubtTransactionResponse {
  /** As it is now: on those databases that could be reached it has ended. */
  transaction: InDoubtTransaction;
}

export type Decision =
  | "DECISION_UNSPECIFIED"
  /** Not decided: it will be rolled back when it is old enough. */
  | "DECISION_NONE"
  /** It will be committed wherever it is still prepared. */
  | "DECISION_COMMIT"
  /** It will be rolled back wherever it is still prepared. */
  | "DECISION_ABORT";

export interface InDoubtTransaction {
  /** UUID. */
  id: string;
  decision: Decision;
  /** Names of the databases on which it is prepared now, and holds its locks. */
  preparedOn: string[];
  /** Databases that take part in it. */
  participantCount: number;
  /** When it was prepared on the first of them. */
  prepareTime?: string;
}

export interface InDoubtTransactionCalls {
  /**
   * Lists transactions that are prepared on some database, oldest first, 1,000 at most for each database. Most of
   * them end by themselves within milliseconds; what is older waits for a database that is away, or for the
   * coordinator's recovery.
   *
   * `GET /v1/in-doubt-transactions`
   */
  listInDoubtTransactions: Call<ListInDoubtTransactionsRequest, ListInDoubtTransactionsResponse>;
  /**
   * Commits a transaction by hand. Errors: NOT_FOUND, TRANSACTION_DECIDED when it was decided to be rolled back,
   * TRANSACTION_NOT_PREPARED when it is not decided and not prepared on all its databases.
   *
   * `POST /v1/in-doubt-transactions/{transaction_id}:commit`
   */
  commitInDoubtTransaction: Call<CommitInDoubtTransactionRequest, CommitInDoubtTransactionResponse>;
  /**
   * Rolls a transaction back by hand. Errors: NOT_FOUND, TRANSACTION_DECIDED when it was decided to be committed.
   *
   * `POST /v1/in-doubt-transactions/{transaction_id}:rollback`
   */
  rollbackInDoubtTransaction: Call<RollbackInDoubtTransactionRequest, RollbackInDoubtTransactionResponse>;
}

export interface ListInDoubtTransactionsRequest {
}

export interface ListInDoubtTransactionsResponse {
  transactions: InDoubtTransaction[];
  /** Databases that could not be asked. */
  unreachable: string[];
}

export interface RollbackInDoubtTransactionRequest {
  transactionId: string;
  /** Why, for the audit log. */
  reason: string;
}

export interface RollbackInDoubtTransactionResponse {
  /** As it is now: on those databases that could be reached it has ended. */
  transaction: InDoubtTransaction;
}
