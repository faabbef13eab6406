import { lookup as lookupAll } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import type { Agent } from "undici";
import { type Outcome, readRetryAfter } from "../domain/attempt.ts";
import { isPublicAddress } from "./public-address.ts";

export interface HttpSenderOptions {
  /** For the whole call, in milliseconds. */
  timeoutMs: number;
  /** "public": an address that the internet cannot reach is refused, also when a name leads to it. */
  targets: "public" | "any";
  /** Connections to one receiver at most. */
  connections: number;
}

export interface HttpCall {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
}

export interface HttpSender {
  /** Makes one POST. Never rejects: what went wrong is in the outcome. Redirects are answers like others. */
  send(call: HttpCall): Promise<Outcome & { durationMs: number }>;
  close(): Promise<void>;
}

/** What is read of an answer before its connection is given up: nobody looks at it. */
const MAX_ANSWER_BYTES = 65_536;
const CONNECT_TIMEOUT_MS = 5_000;
/** The client's own timers may go off half a second too early, and tell of headers: they stand behind the one that counts. */
const BEHIND_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;
const MAX_PROBLEM_CHARACTERS = 200;

class ForbiddenAddress extends Error {
  readonly code = "FORBIDDEN_ADDRESS";
}

/** Resolves a name, and refuses it when any of its addresses is not public. Connections are made only to what it gives. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookupAll(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, "", 0);
    if (addresses.length === 0 || addresses.some(({ address }) => isPublicAddress(address) !== true))
      return callback(new ForbiddenAddress(`${hostname} leads to an address that is not public`), "", 0);
    if (options.all === true) return callback(null, addresses);
    return callback(null, addresses[0]!.address, addresses[0]!.family);
  });
};

/** Sends webhooks. The HTTP client is loaded with the first: many platforms never send one. */
export function createHttpSender({ timeoutMs, targets, connections }: HttpSenderOptions): HttpSender {
  let agent: Promise<Agent> | undefined;
  const open = async (): Promise<Agent> => {
    const { Agent } = await import("undici");
    return new Agent({
      connections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: timeoutMs + BEHIND_MS,
      bodyTimeout: timeoutMs + BEHIND_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: { timeout: CONNECT_TIMEOUT_MS, ...(targets === "public" ? { lookup: lookupPublic } : {}) },
    });
  };

  async function call({ url, headers, body, signal }: HttpCall): Promise<Outcome> {
    const { origin, pathname, search, hostname, protocol } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    // An address as such is not looked up, so it is checked here.
    if (targets === "public" && (protocol !== "https:" || (isIP(host) !== 0 && isPublicAddress(host) !== true)))
      return failed(new ForbiddenAddress("webhooks go to https and public addresses only"));
    try {
      agent ??= open();
      const answer = await (await agent).request({
        origin,
        path: pathname + search,
        method: "POST",
        headers,
        body,
        signal,
      });
      const { "retry-after": retryAfter } = answer.headers;
      // The status is there: what goes wrong with the rest of the answer does not undo what the receiver did.
      await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
      const asked = readRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now());
      return { status: answer.statusCode, problem: problemOf(answer.statusCode), retryAfterMs: asked };
    } catch (error) {
      return failed(error);
    }
  }

  function failed(error: unknown): Outcome {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const problem = timedOut ? `no answer within ${timeoutMs} ms` : textOf(error);
    return { status: 0, problem, retryAfterMs: undefined };
  }

  return {
    async send(made) {
      const startedAtMs = performance.now();
      const signal = AbortSignal.any([made.signal, AbortSignal.timeout(timeoutMs)]);
      const outcome = await call({ ...made, signal });
      return { ...outcome, durationMs: Math.round(performance.now() - startedAtMs) };
    },
    async close() {
      await (await agent)?.destroy();
    },
  };
}

function problemOf(status: number): string {
  return status >= 300 && status < 400 ? "redirects are not followed" : "";
}

/** What a member may know of a failed connection. */
function textOf(error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const code = inner instanceof Error && "code" in inner ? String(inner.code) : "";
  const message = inner instanceof Error ? inner.message : String(inner);
  return (message === "" ? code : code === "" ? message : `${code}: ${message}`).slice(0, MAX_PROBLEM_CHARACTERS);
}
