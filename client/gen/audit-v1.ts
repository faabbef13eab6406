// Made by `npm run generate` from the contracts; do not edit.
import type { Call, PagedCall } from "../calls.ts";

export interface AcknowledgeBreachRequest {
  /** As "ledger". */
  service: string;
  breachId: string;
  /** What was found out, for the audit log. */
  reason: string;
}

export interface AcknowledgeBreachResponse {
  breach: Breach;
}

/** The state of a service's auditor. */
export interface Audit {
  service: string;
  /** Whether this instance is the one that runs the checks. */
  running: boolean;
  checks: Check[];
  sweeps: Sweep[];
}

export interface AuditCalls {
  /**
   * Tells how far each check of a service has come, and what its sweepers did. Errors: NOT_FOUND for a service
   * without checks.
   *
   * `GET /v1/audits/{service}`
   */
  getAudit: Call<GetAuditRequest, GetAuditResponse>;
  /**
   * Lists what does not hold, or did not, newest first. Errors: NOT_FOUND for a service without checks,
   * PAGE_TOKEN_INVALID.
   *
   * `GET /v1/audits/{service}/breaches`
   */
  listBreaches: PagedCall<ListBreachesRequest, ListBreachesResponse, ListBreachesResponse["breaches"][number]>;
  /**
   * Takes note of a breach: it does not count as open any more. Its accounts stay frozen until they are unfrozen.
   * Acknowledging twice changes nothing. Errors: NOT_FOUND.
   *
   * `POST /v1/audits/{service}/breaches/{breach_id}:acknowledge`
   */
  acknowledgeBreach: Call<AcknowledgeBreachRequest, AcknowledgeBreachResponse>;
}

export interface Breach {
  /** UUID. */
  id: string;
  /** The check that found it. */
  check: string;
  /** As "I1". */
  invariant: string;
  /** What it is about, as the id of a transfer or an account. */
  subject: string;
  /** What does not hold, a sentence. */
  message: string;
  /** The rows and answers that show it, as JSON text. */
  detail: string;
  /** The accounts concerned. */
  accountIds: string[];
  /** Those of them that were frozen because of it. */
  frozenAccountIds: string[];
  findTime?: string;
  /** When it was last seen. */
  seeTime?: string;
  /**
   * When a standing condition, as an outbox that does not drain, had passed. Absent while it holds; always absent
   * for what stands in the books.
   */
  endTime?: string;
  /** Absent: nobody has acknowledged it. */
  acknowledgeTime?: string;
  /** The operator, and why. */
  acknowledgedBy: string;
  acknowledgeReason: string;
}

/** One check, and how far it has come. */
export interface Check {
  /** As "postings". */
  name: string;
  /** The invariant that it holds, as "I1"; several with a comma between. */
  invariant: string;
  /** What is checked, a sentence. */
  description: string;
  /** When its last round ended. Absent: it had none yet. */
  roundTime?: string;
  /** Rows that the last round looked at. */
  roundRows: string;
  roundDuration?: string;
  /** Rows that all rounds looked at. */
  totalRows: string;
  /** Where the next round begins, as JSON text. */
  cursor: string;
  /** How far behind the present it is. Absent for a sweep, which goes round for ever. */
  lag?: string;
  /** What was still on its way, and is looked at again. */
  waiting: string;
  /** Breaches that nobody has acknowledged and that still hold. */
  openBreaches: string;
  /** Why the last round failed; empty when it did not. */
  failure: string;
}

export interface GetAuditRequest {
  /** As "ledger". */
  service: string;
}

export interface GetAuditResponse {
  audit: Audit;
}

export interface ListBreachesRequest {
  /** As "ledger". */
  service: string;
  /** Only those that still hold and that nobody has acknowledged. */
  open?: boolean;
  /** 1 to 200; 0 means 50. */
  pageSize?: number;
  pageToken?: string;
}

export interface ListBreachesResponse {
  breaches: Breach[];
  /** Empty on the last page. */
  nextPageToken: string;
}

/** What a sweeper has brought on its way again since the process started. */
export interface Sweep {
  /** As "bank-calls". */
  name: string;
  /** What it looks for, a sentence. */
  description: string;
  /** Things that were brought on their way again. */
  moved: string;
}
