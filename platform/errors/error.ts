import { type CatalogueEntry, catalogue, type Reason } from "./catalogue.ts";

/** One field of a request that breaks a rule. */
export interface FieldViolation {
  /** Path of the field as in the contract, "amount.minor_units". */
  field: string;
  /** What is wrong, in words. */
  description: string;
}

export interface ErrorDetails {
  fields?: readonly FieldViolation[];
  /** How long a client should wait before it tries again, in milliseconds. */
  retryAfterMs?: number;
  /** What lies behind it. Goes to the log, never to the wire. */
  cause?: unknown;
}

/** The one error class. Its reason says all that a caller may know; the cause is for the log. */
export class FerryError extends Error {
  override readonly name = "FerryError";
  readonly reason: Reason;
  readonly fields: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  /** @param message One sentence for a person; it goes to the wire. */
  constructor(reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }

  get entry(): CatalogueEntry {
    const entry = catalogue.get(this.reason);
    if (entry === undefined) throw new Error(`reason ${this.reason} is not in the catalogue`);
    return entry;
  }

  get retryable(): boolean {
    return this.entry.retryable;
  }
}

/** Shorthand for a request that breaks field rules: the message names the first field. */
export function invalidRequest(fields: readonly FieldViolation[]): FerryError {
  const first = fields[0];
  const more = fields.length > 1 ? ` (and ${fields.length - 1} more)` : "";
  const message = first === undefined ? "the request is not valid" : `${first.field}: ${first.description}${more}`;
  return new FerryError("INVALID_REQUEST", message, { fields });
}

/**
 * Error codes of Node and of PostgreSQL that mean: what we stand on is away, try again. Among them are a lock that
 * was not given in time (55P03), and a server that only takes reads (25006), as the old one of a pair after a failover.
 */
const UNAVAILABLE_CODES = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"],
  ...["EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN"],
  ...["57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006", "53300"],
  ...["40001", "40P01", "55P03", "25006", "25P03", "25P04", "57014", "53100", "53200"],
]);

/** What the driver of PostgreSQL says of connections, without a code. */
const AWAY =
  /Connection terminated|is not queryable|timeout exceeded when trying to connect|timeout expired|Query read timeout/;

/** Makes any thrown value a FerryError. What is not known is INTERNAL, with the value as its cause. */
export function fromUnknown(thrown: unknown): FerryError {
  if (thrown instanceof FerryError) return thrown;
  if (thrown instanceof Error) {
    const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
    if (UNAVAILABLE_CODES.has(code) || AWAY.test(thrown.message))
      return new FerryError("UNAVAILABLE", "a part that the service stands on cannot be reached", { cause: thrown });
    if (thrown.name === "AbortError") return new FerryError("CANCELED", "the call was canceled", { cause: thrown });
  }
  return new FerryError("INTERNAL", "internal error", { cause: thrown });
}
