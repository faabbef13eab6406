import type { ErrorCode } from "./gen/errors.ts";

/** What can go wrong before there is an answer of the edge, or instead of one. */
export type ClientErrorCode =
  /** No connection, or it broke. */
  | "CONNECTION_FAILED"
  /** No answer within the attempt's time. */
  | "TIMED_OUT"
  /** An answer that is none of the edge's, as of a proxy in between. */
  | "ANSWER_UNREADABLE";

export interface FieldViolation {
  /** Path of the field, as "amount.minorUnits". */
  field: string;
  description: string;
}

interface Facts {
  code: ErrorCode | ClientErrorCode;
  status: number;
  retryable: boolean;
  details?: readonly FieldViolation[];
  retryAfterMs?: number;
  requestId?: string;
  traceId?: string;
  cause?: unknown;
}

/** The one error of a call that failed. */
export class FerryApiError extends Error {
  override readonly name = "FerryApiError";
  /** A reason of the API's catalogue (docs/errors.md), or one of the client's own. */
  readonly code: ErrorCode | ClientErrorCode;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The fields that are wrong, of INVALID_REQUEST and its like. */
  readonly details: readonly FieldViolation[];
  /** Whether the same request can succeed later, unchanged. */
  readonly retryable: boolean;
  /** When to come back, where the answer says it. */
  readonly retryAfterMs: number | undefined;
  /** Names the request in the platform's logs; tell it to support. */
  readonly requestId: string | undefined;
  readonly traceId: string | undefined;

  constructor(message: string, facts: Facts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.details = facts.details ?? [];
    this.retryable = facts.retryable;
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
    this.traceId = facts.traceId;
  }
}

interface FailureEnvelope {
  error: { code: ErrorCode; status: number; message: string; details: FieldViolation[]; retryable: boolean };
  meta: { requestId: string; traceId: string };
}

function isFailure(value: unknown): value is FailureEnvelope {
  const { error, meta } = (value ?? {}) as Partial<FailureEnvelope>;
  return typeof error?.code === "string" && typeof error.message === "string" && typeof meta?.requestId === "string";
}

/** @param value The answer's JSON; undefined when it had none. */
export function errorOfAnswer(value: unknown, status: number, retryAfter: string | null): FerryApiError {
  const seconds = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const retryAfterMs = seconds === undefined ? undefined : seconds * 1_000;
  if (!isFailure(value)) {
    // What stands in between answers for an edge that is away by these.
    const retryable = [429, 502, 503, 504].includes(status);
    const message = `an answer with status ${status} that is none of the API's`;
    return new FerryApiError(message, { code: "ANSWER_UNREADABLE", status, retryable, retryAfterMs });
  }
  const { error, meta } = value;
  const { code, details, retryable } = error;
  return new FerryApiError(error.message, { code, status: error.status, details, retryable, retryAfterMs, ...meta });
}
