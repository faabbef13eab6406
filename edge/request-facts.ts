import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Principal } from "@ferry/platform/auth";
import { isTraceparent, newTraceparent } from "@ferry/platform/telemetry";
import type { Abort } from "./abort.ts";
import type { EdgeMatch } from "./routes.ts";

/** What the edge knows of one request, from its first hook on. */
export interface RequestFacts {
  requestId: string;
  traceparent: string;
  traceId: string;
  startedAtMs: number;
  /** Set when a route was found. */
  match?: EdgeMatch;
  /** Set when the caller's token was verified. */
  principal?: Principal;
  /** Set when the contract requires one. */
  idempotencyKey?: string;
  /** Ends the call behind the request: the client went away, or the edge stops. */
  abort?: Abort;
}

declare module "fastify" {
  interface FastifyRequest {
    facts: RequestFacts;
  }
}

/** A client's own id is taken over when it can stand in logs, headers and JSON as it is. */
const REQUEST_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** Where the trace id stands in a traceparent. */
const [TRACE_ID_FROM, TRACE_ID_TO] = [3, 35];

export function factsOf({ headers }: Pick<IncomingMessage, "headers">): RequestFacts {
  const id = headers["x-request-id"];
  const parent = headers.traceparent;
  const traceparent = typeof parent === "string" && isTraceparent(parent) ? parent : newTraceparent();
  return {
    requestId: typeof id === "string" && REQUEST_ID.test(id) ? id : randomUUID(),
    traceparent,
    traceId: traceparent.slice(TRACE_ID_FROM, TRACE_ID_TO), // Of a traceparent that is valid, one way or the other.
    startedAtMs: Date.now(),
  };
}
