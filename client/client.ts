import type { RpcPlan, StreamOptions } from "./calls.ts";
import { FerryApiError } from "./errors.ts";
import { type FerryClient, servicePlans } from "./gen/client.ts";
import { type AllOptions, type HttpRequest, httpRequestOf } from "./request.ts";
import { DEFAULT_RETRIES, delayBeforeRetry, pause, type RetryLimits } from "./retries.ts";
import { type Answer, type AnswerFacts, type Fetch, send } from "./send.ts";
import { open, streamEvents } from "./stream.ts";
import type { TokenProvider } from "./tokens.ts";

export interface ClientOptions {
  /** Where the API is, as "https://api.example.com". */
  baseUrl: string;
  /** Default: no token, which is enough to sign up and to log in. */
  tokens?: TokenProvider;
  /** Default: 3 retries, up to 0.2 s before the first, doubling up to 5 s; waits of up to 30 s where the API asks for them. */
  retries?: Partial<RetryLimits>;
  /** Headers of every request. */
  headers?: Record<string, string>;
  /** Default: the fetch of where it runs. */
  fetch?: Fetch;
}

/** What an attempt has beyond the contract's time, to get there and back, in milliseconds. */
const WAY_MS = 1_000;

const factsOfAnswers = new WeakMap<object, AnswerFacts>();

/**
 * What an answer says beside its data: status, request id, whether it is a replay.
 * @param answer What a call resolved to.
 * @returns undefined for anything else.
 */
export function answerFacts(answer: object): AnswerFacts | undefined {
  return factsOfAnswers.get(answer);
}

/** Makes a client. It keeps no connection of its own and needs no closing. */
export function createFerryClient(options: ClientOptions): FerryClient {
  const caller = createCaller(options, () => client);
  const client = Object.fromEntries(
    Object.entries(servicePlans).map(([service, rpcs]) => [
      service,
      Object.fromEntries(Object.entries(rpcs).map(([name, plan]) => [name, functionOf(plan, caller)])),
    ]),
  ) as unknown as FerryClient;
  return client;
}

interface Caller {
  call(plan: RpcPlan, request: object, options: AllOptions): Promise<unknown>;
  stream(plan: RpcPlan, request: object, options: StreamOptions): AsyncGenerator<unknown, void, undefined>;
}

function functionOf(plan: RpcPlan, caller: Caller): unknown {
  if (plan.stream !== undefined)
    return (request: object = {}, options: StreamOptions = {}) => caller.stream(plan, request, options);
  const call = (request: object = {}, options: AllOptions = {}) => caller.call(plan, request, options);
  const { items } = plan;
  if (items === undefined) return call;
  const pages = async function* (request: object = {}, options: AllOptions = {}) {
    for (let pageToken: string | undefined; pageToken !== ""; ) {
      const page = (await call(pageToken === undefined ? request : { ...request, pageToken }, options)) as Page;
      yield page;
      pageToken = String(page.nextPageToken ?? "");
    }
  };
  const everyItem = async function* (request: object = {}, options: AllOptions = {}) {
    for await (const page of pages(request, options)) yield* page[items] as unknown[];
  };
  return Object.assign(call, { pages, items: everyItem });
}

type Page = Record<string, unknown>;

function createCaller(options: ClientOptions, client: () => FerryClient): Caller {
  const baseUrl = options.baseUrl.replace(/\/+$/, "");
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const limits: RetryLimits = { ...DEFAULT_RETRIES, ...options.retries };
  const { tokens } = options;

  /** Makes an attempt with the present token, and once more when that turns out to have expired. */
  async function withToken<T>(plan: RpcPlan, attempt: (token: string | undefined) => Promise<T>): Promise<T> {
    const token = plan.withToken ? await tokens?.accessToken() : undefined;
    try {
      return await attempt(token);
    } catch (error) {
      const expired = error instanceof FerryApiError && error.code === "TOKEN_EXPIRED";
      if (!expired || token === undefined) throw error;
      const next = await tokens?.refresh?.(token, client());
      if (next === undefined || next === token) throw error;
      return attempt(next);
    }
  }

  const requestOf = (plan: RpcPlan, request: object, given: AllOptions): HttpRequest => {
    const made = httpRequestOf(baseUrl, plan, request, given);
    const { waitSeconds = 0 } = given;
    Object.assign(made.headers, options.headers, given.headers);
    if (plan.keyRequired) made.headers["idempotency-key"] = given.idempotencyKey ?? newKey();
    if (waitSeconds > 0) made.headers.prefer = `wait=${Math.floor(waitSeconds)}`;
    return made;
  };

  return {
    async call(plan, given, callOptions) {
      const { signal, waitSeconds = 0, maxRetries = limits.maxRetries } = callOptions;
      const request = requestOf(plan, given, callOptions); // Once: its key is the same for all attempts.
      const timeoutMs = callOptions.timeoutMs ?? plan.deadlineMs + waitSeconds * 1_000 + WAY_MS;
      for (let tried = 1; ; tried++) {
        try {
          const attempt = (token: string | undefined) =>
            send({ fetch, request, token, timeoutMs, signal }, plan.rawAnswer);
          return dataOf(await withToken(plan, attempt));
        } catch (error) {
          const waitMs = delayBeforeRetry(error, tried, plan.retrySafe, { ...limits, maxRetries });
          if (waitMs === undefined) throw error;
          await pause(waitMs, signal);
        }
      }
    },
    stream(plan, given, streamOptions) {
      const request = requestOf(plan, given, streamOptions);
      const connect = (headers: Record<string, string>, signal: AbortSignal | undefined) =>
        withToken(plan, async (token) => {
          const sent = { ...request, headers: { ...request.headers, ...headers } };
          return open({ fetch, request: sent, token, signal });
        });
      return streamEvents({ plan, options: streamOptions, limits, connect });
    },
  };
}

function dataOf({ data, facts }: Answer): unknown {
  if (typeof data === "object" && data !== null) factsOfAnswers.set(data, facts);
  return data;
}

/** A UUID of version 4; pages without TLS have no randomUUID. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
