import type { FerryError } from "@ferry/platform/errors";

/** What stands in "meta" of every answer: ids of characters that JSON takes as they are. */
export interface Meta {
  requestId: string;
  traceId: string;
}

export const JSON_TYPE = "application/json; charset=utf-8";

/** Time after which a client may try again when the error does not tell one, in milliseconds. */
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Fields that an error names, at most: a body of many small faults must not be answered with a much larger one. */
const MAX_DETAILS = 100;

/** @param data JSON text. */
export function successText(data: string, meta: Meta): string {
  return `{"data":${data},"meta":{"requestId":"${meta.requestId}","traceId":"${meta.traceId}"}}`;
}

/** The failure envelope: nothing but what the catalogue and the error's message say; never its cause. */
export function failureText(error: FerryError, meta: Meta): string {
  const { reason, message, fields, entry, retryable } = error;
  const details = fields.slice(0, MAX_DETAILS).map(({ field, description }) => ({ field, description }));
  return JSON.stringify({ error: { code: reason, status: entry.httpStatus, message, details, retryable }, meta });
}

/** Headers that belong to an error: when to come back, and how to authenticate (RFC 9110, RFC 6750). */
export function failureHeaders(error: FerryError): Record<string, string> {
  const status = error.entry.httpStatus;
  if (status === 401) {
    const cause =
      error.reason === "UNAUTHENTICATED" || error.reason === "CREDENTIALS_INVALID" ? "" : ', error="invalid_token"';
    return { "www-authenticate": `Bearer realm="ferry"${cause}` };
  }
  if (error.retryAfterMs === undefined && status !== 429 && status !== 503) return {};
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) / 1_000));
  return { "retry-after": String(seconds) };
}
