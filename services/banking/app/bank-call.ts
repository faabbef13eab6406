import type { Operation, Outcome } from "../domain/call.ts";

/** Where the answer to a call goes; absent for calls that came by rpc. */
export interface ReplyRoute {
  replyTo: string;
  sagaId: string | undefined;
  sagaStep: string | undefined;
}

/** A call that is to be made. */
export interface BankCall {
  /** The command's ce_id, or a UUID of a call that came by rpc. */
  id: string;
  /** The transfer or top-up, and the bank's reference. UUID. */
  reference: string;
  bankCode: string;
  operation: Operation;
  route: ReplyRoute | undefined;
  traceparent: string | undefined;
}

/** A call that is recorded, and waits for its turn or is under way. */
export interface PendingCall extends BankCall {
  /** Numbers the calls in the order in which they were recorded. */
  seq: bigint;
  /** Of a payment: its reference is voided, and the bank is not called for it. */
  voided?: boolean;
  /** An instance that is gone had it before: it may have been made. */
  takenOver?: boolean;
  /** When it came to be this instance's, by performance.now(). */
  takenAtMs?: number;
}

/** A call with what became of it. */
export interface FinishedCall {
  call: PendingCall;
  outcome: Outcome;
  durationMs: number;
}

/** A call as it is recorded. */
export interface RecordedCall {
  id: string;
  reference: string;
  bankCode: string;
  operation: Operation["kind"];
  outcome: Outcome["kind"] | "pending";
  detail: string;
  startedAt: Date;
  durationMs: number | undefined;
}
