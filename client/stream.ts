import type { RpcPlan, StreamOptions } from "./calls.ts";
import { errorOfAnswer, FerryApiError } from "./errors.ts";
import { readEvents, type ServerEvent } from "./events.ts";
import { delayBeforeRetry, pause, type RetryLimits } from "./retries.ts";
import { asApiError, begin, failureOf, type Sending } from "./send.ts";

/** The edge sends a comment every 15 s: three that are missing are a connection that is gone. */
const SILENCE_MS = 45_000;
/** The edge sends a stream's headers after a second at the latest. */
const OPEN_TIMEOUT_MS = 10_000;

export interface StreamParts {
  plan: RpcPlan;
  options: StreamOptions;
  limits: RetryLimits;
  /** Connects, with a good token. @throws FerryApiError when the stream is refused. */
  connect(headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Response>;
}

/**
 * Reads the events of a stream, over as many connections as it takes.
 *
 * A connection that ends, for whatever reason, is made again and the stream goes on after the last event, until the
 * API says that there is nothing more to tell (204). Without ids it ends with its first connection.
 *
 * @throws FerryApiError, also when connections have failed more often in a row than allowed.
 */
export async function* streamEvents(parts: StreamParts): AsyncGenerator<unknown, void, undefined> {
  const { plan, options, connect } = parts;
  const { signal } = options;
  const limits = { ...parts.limits, maxRetries: options.maxRetries ?? parts.limits.maxRetries };
  const resumable = plan.stream?.resumable === true;
  let lastEventId = options.lastEventId ?? "";
  let told = false;
  for (let failed = 0; ; ) {
    let problem: unknown;
    try {
      const headers: Record<string, string> = lastEventId === "" ? {} : { "last-event-id": lastEventId };
      const response = await connect(headers, signal);
      if (response.status === 204 || response.body === null) return;
      for await (const event of readEvents(response.body as ReadableStream<Uint8Array<ArrayBuffer>>, SILENCE_MS)) {
        const message = messageOf(event, response.status);
        if (event.lastEventId !== "") lastEventId = event.lastEventId;
        failed = 0;
        told = true;
        yield message;
      }
      if (!resumable) return;
    } catch (error) {
      problem = asApiError(error, signal, undefined, 0);
      if (!resumable && told) throw problem; // Beginning anew would tell everything twice.
    }
    failed += 1;
    const ended = new FerryApiError("the stream ended", { code: "CONNECTION_FAILED", status: 0, retryable: true });
    const waitMs = delayBeforeRetry(problem ?? ended, failed, true, limits);
    if (waitMs === undefined) throw problem ?? ended;
    await pause(waitMs, signal);
  }
}

/**
 * Opens a stream: the time for it ends with its headers, the signal ends all of it.
 * @throws FerryApiError.
 */
export async function open(sending: Omit<Sending, "timeoutMs">): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), OPEN_TIMEOUT_MS);
  const signal = sending.signal === undefined ? late.signal : AbortSignal.any([sending.signal, late.signal]);
  try {
    const response = await begin({ ...sending, signal });
    if (!response.ok) throw await failureOf(response);
    return response;
  } catch (error) {
    throw asApiError(error, sending.signal, late.signal, OPEN_TIMEOUT_MS);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws FerryApiError that the event tells. */
function messageOf({ type, data }: ServerEvent, status: number): unknown {
  const value = parse(data);
  if (type === "error") throw errorOfAnswer(value, status, null);
  if (value === undefined) throw errorOfAnswer(undefined, status, null);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
