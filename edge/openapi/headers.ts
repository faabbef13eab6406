import type { JsonObject } from "./schema.ts";

const text = { type: "string" };

/** Headers that requests may or must have, by the names under which the document has them. */
export const requestHeaders: Readonly<Record<string, JsonObject>> = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    required: true,
    description:
      "Names the request, so that sending it again does not do it again: the same key with the same request gets the same answer. 1 to 255 printable ASCII characters; the caller makes it, as a UUID.",
    schema: { type: "string", pattern: "^[!-~](?:[ -~]{0,253}[!-~])?$" },
    example: "5f0c8f0e-6a52-4d0b-9d0c-2f6f3f1f7b11",
  },
  IfNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "ETags of answers that the caller has: what has not changed is answered 304, without a body.",
    schema: text,
  },
  LastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The `id:` of the last event that the caller saw: the stream goes on after it.",
    schema: text,
  },
  Prefer: {
    name: "Prefer",
    in: "header",
    description:
      "`wait=SECONDS` (RFC 7240): the answer comes at the end of what was asked for, or after this time in its present state. More than the longest wait is cut down to it.",
    schema: text,
    example: "wait=5",
  },
  Traceparent: {
    name: "traceparent",
    in: "header",
    description: "W3C trace context; made where it is absent or malformed.",
    schema: text,
  },
  XRequestId: {
    name: "X-Request-Id",
    in: "header",
    description:
      "1 to 128 letters, digits or `._~-`, found again in the answer and in the logs; made where it is absent or another.",
    schema: text,
  },
};

/** Headers of answers, by the names under which the document has them. */
export const answerHeaders: Readonly<Record<string, JsonObject>> = {
  Allow: { description: "The methods that the path has.", schema: text },
  Deprecation: { description: "Since when the operation is deprecated (RFC 9745), as `@1767225600`.", schema: text },
  ETag: { description: "The validator of the answer's data, for If-None-Match.", schema: text },
  IdempotencyReplayed: {
    description: "`true`: an earlier request with the same key did it; this is its present state.",
    schema: { type: "string", enum: ["true"] },
  },
  Link: { description: 'With `rel="deprecation"`: where to read what to use instead.', schema: text },
  PreferenceApplied: { description: "The wait that was granted, as `wait=5`.", schema: text },
  RateLimit: { description: 'What is left of a budget, and for how many seconds: `"read";r=599;t=60`.', schema: text },
  RateLimitPolicy: { description: 'The budget that the request was charged to: `"read";q=600;w=60`.', schema: text },
  RetryAfter: {
    description: "Seconds after which the same request may succeed.",
    schema: { type: "string", pattern: "^[1-9][0-9]*$" },
  },
  Sunset: { description: "From when on the operation may be gone (RFC 8594), as an HTTP date.", schema: text },
  WwwAuthenticate: { description: "How to authenticate (RFC 6750).", schema: text },
  XRequestId: { description: "Names the request in the logs.", schema: text },
};

const NAMES: Readonly<Record<string, string>> = {
  IdempotencyReplayed: "Idempotency-Replayed",
  PreferenceApplied: "Preference-Applied",
  RateLimit: "RateLimit",
  RateLimitPolicy: "RateLimit-Policy",
  RetryAfter: "Retry-After",
  WwwAuthenticate: "WWW-Authenticate",
  XRequestId: "X-Request-Id",
};

/** The headers of one answer, by their components' names. */
export function headersOf(...names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [NAMES[name] ?? name, { $ref: `#/components/headers/${name}` }]));
}

export function headerParameter(name: keyof typeof requestHeaders): JsonObject {
  return { $ref: `#/components/parameters/${name}` };
}
