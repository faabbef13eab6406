import { errorOfAnswer, FerryApiError } from "./errors.ts";
import type { HttpRequest } from "./request.ts";

/** What an answer says beside its data. */
export interface AnswerFacts {
  /** 200, 201 (its end is known) or 202 (on its way). */
  status: number;
  /** The answer to an earlier request with the same idempotency key. */
  replayed: boolean;
  requestId: string;
  traceId: string;
  headers: Headers;
}

export interface Answer {
  data: unknown;
  facts: AnswerFacts;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Sending {
  fetch: Fetch;
  request: HttpRequest;
  token: string | undefined;
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Sends a request once and reads its whole answer.
 * @param rawAnswer Whether the data is no JSON. Default false.
 * @throws FerryApiError; the signal's reason when that ended it.
 */
export async function send(sending: Sending, rawAnswer = false): Promise<Answer> {
  const late = AbortSignal.timeout(sending.timeoutMs);
  const signal = sending.signal === undefined ? late : AbortSignal.any([sending.signal, late]);
  try {
    const response = await begin({ ...sending, signal });
    if (!response.ok) throw await failureOf(response);
    const { status, headers } = response;
    const replayed = headers.get("idempotency-replayed") === "true";
    const requestId = headers.get("x-request-id") ?? "";
    if (rawAnswer) {
      const contentType = headers.get("content-type") ?? "";
      const body = new Uint8Array(await response.arrayBuffer());
      return { data: { contentType, body }, facts: { status, replayed, requestId, traceId: "", headers } };
    }
    const { data, meta } = (await jsonOf(response)) as { data: unknown; meta?: { requestId: string; traceId: string } };
    if (meta === undefined) throw errorOfAnswer(undefined, status, null);
    return { data, facts: { status, replayed, ...meta, headers } };
  } catch (error) {
    throw asApiError(error, sending.signal, late, sending.timeoutMs);
  }
}

/** Sends a request and gives its answer as soon as its headers are there, whatever its status. */
export async function begin({ fetch, request, token, signal }: Omit<Sending, "timeoutMs">): Promise<Response> {
  const { method, url, body } = request;
  const headers = token === undefined ? request.headers : { ...request.headers, authorization: `Bearer ${token}` };
  return fetch(url, { method, headers, ...(body === undefined ? {} : { body }), ...(signal ? { signal } : {}) });
}

export async function failureOf(response: Response): Promise<FerryApiError> {
  const value = await jsonOf(response).catch(() => undefined);
  return errorOfAnswer(value, response.status, response.headers.get("retry-after"));
}

async function jsonOf(response: Response): Promise<object> {
  const text = await response.text();
  try {
    return Object(JSON.parse(text));
  } catch {
    throw errorOfAnswer(undefined, response.status, null);
  }
}

/** Whatever a failed attempt threw, as one error. @returns The caller's own reason when its signal ended it. */
export function asApiError(
  error: unknown,
  signal: AbortSignal | undefined,
  late: AbortSignal | undefined,
  timeoutMs: number,
): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof FerryApiError) return error;
  if (late?.aborted) {
    const message = `no answer within ${timeoutMs} ms`;
    return new FerryApiError(message, { code: "TIMED_OUT", status: 0, retryable: true, cause: error });
  }
  const message = "the connection could not be made, or broke";
  return new FerryApiError(message, { code: "CONNECTION_FAILED", status: 0, retryable: true, cause: error });
}
