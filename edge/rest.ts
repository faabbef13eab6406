import type { Authenticator, AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { runInContext } from "@ferry/platform/telemetry";
import type { FastifyReply, FastifyRequest } from "fastify";
import { authorize } from "./access.ts";
import { checkContentLength } from "./body-limit.ts";
import { JSON_TYPE, successText } from "./envelope.ts";
import { methodNotAllowed, unsupportedMediaType } from "./failures.ts";
import { withJsonNames } from "./field-names.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import type { InFlight } from "./in-flight.ts";
import { PLAIN_PATHS } from "./plain-routes.ts";
import { waitSecondsOf } from "./prefer.ts";
import type { ChargeRate } from "./rate-limits.ts";
import { readerFor } from "./raw-bodies.ts";
import type { EdgeMatch, EdgePlan, EdgeRoutes } from "./routes.ts";

export interface RestOptions {
  routes: EdgeRoutes;
  authenticator: Authenticator;
  authority: AuthorityState;
  inFlight: InFlight;
  charge: ChargeRate;
  /** The largest body where the contract says nothing, in bytes. */
  maxBodyBytes: number;
}

/** The target of a request in its two parts; the query without its question mark. */
export function splitTarget(url: string): { path: string; query: string } {
  const mark = url.indexOf("?");
  return mark === -1 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** The methods that a path has, as the header Allow says them; none when it has none. */
export function allowHeader(allowed: readonly string[]): string[] {
  if (allowed.length === 0) return [];
  return [...new Set([...allowed, ...(allowed.includes("GET") ? ["HEAD"] : []), "OPTIONS"])].sort();
}

/**
 * All that happens before a body is read: what is refused here costs no more than its headers.
 * @throws FerryError.
 */
export function createAdmission(options: RestOptions) {
  const { routes, authenticator, authority, inFlight, charge, maxBodyBytes } = options;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { facts } = request;
    facts.abort = inFlight.enter(reply.raw);
    const match = findRoute(routes, request);
    if (match instanceof FerryError) {
      await charge(request, "read");
      if ("allow" in match) reply.header("allow", match.allow);
      throw match;
    }
    facts.match = match;
    const { plan } = match;
    if (plan.policy.auth === "public") await charge(request, plan.rateClass);
    else {
      const reason = authority.unready();
      if (reason !== undefined) throw new FerryError("UNAVAILABLE", "tokens cannot be verified yet", { cause: reason });
      try {
        facts.principal = authenticator.authenticate(request.headers.authorization);
      } catch (error) {
        await charge(request, "read");
        throw error;
      }
      const charged = charge(request, plan.rateClass);
      if (charged !== undefined) await charged;
      authorize(plan.policy, facts.principal, authenticator);
    }
    checkBodyHeaders(request, plan);
    checkContentLength(request, reply, plan, maxBodyBytes);
    if (plan.policy.keyRequired)
      facts.idempotencyKey = idempotencyKey(headerValues(request.raw.rawHeaders, "idempotency-key"));
  };
}

function findRoute(routes: EdgeRoutes, { raw }: FastifyRequest): EdgeMatch | (FerryError & { allow?: string }) {
  const method = raw.method === "HEAD" ? "GET" : (raw.method ?? "");
  const { path } = splitTarget(raw.url ?? "");
  const found = routes.find(method, path);
  if (found !== undefined && "plan" in found) return found;
  const allow = allowHeader(found?.allowed ?? (PLAIN_PATHS.includes(path) ? ["GET"] : []));
  if (allow.length === 0) return new FerryError("ROUTE_NOT_FOUND", "there is no such route");
  return Object.assign(methodNotAllowed(allow), { allow: allow.join(", ") });
}

/** What a body's headers say must fit before any of it is read. */
function checkBodyHeaders({ headers }: FastifyRequest, plan: EdgePlan): void {
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  if (hasBody && !plan.route.takesBody) throw new FerryError("INVALID_REQUEST", "this route takes no body");
  if (hasBody && readerFor(plan, headers["content-type"]) === undefined)
    throw unsupportedMediaType([...plan.rawBodies.keys()]);
  const encoding = headers["content-encoding"] ?? "identity";
  if (hasBody && encoding.toLowerCase() !== "identity") throw unsupportedMediaType();
}

/** A header's values as they came: Node joins repeated ones with a comma, and nobody can tell them apart then. */
function headerValues(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at]!;
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[at + 1]!);
  }
  return values;
}

/** Answers an admitted request: JSON to message, the call, message to JSON. */
export function handleRest(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { requestId, traceparent, match } = request.facts;
  if (match === undefined) throw new Error("a request came to its handler without a route");
  return runInContext({ requestId, traceparent }, () => answer(request, reply, match));
}

async function answer(request: FastifyRequest, reply: FastifyReply, match: EdgeMatch): Promise<FastifyReply> {
  const { facts } = request;
  const { plan, segments } = match;
  const { route, policy, backend, status, checkRules, write } = plan;
  const { query } = splitTarget(request.raw.url ?? "");
  const body = request.body as Buffer | undefined;
  const readRequest = readerFor(plan, request.headers["content-type"]) ?? route.readRequest;
  const message = readRequest({ segments, query, body });
  checkRules(message);

  const waitSeconds = waitSecondsOf(joined(request.headers.prefer), Math.floor(policy.maxWaitMs / 1_000));
  const signal = facts.abort?.signal;
  const call = backend.unary(route.rpc, message, {
    headers: forwardedHeaders(request, waitSeconds),
    timeoutMs: policy.deadlineMs + waitSeconds * 1_000,
    signal,
  });
  const response = await call.catch((error) => {
    throw signal?.aborted ? signal.reason : withJsonNames(error, route.rpc.input);
  });

  const told = status.statusOf(response);
  if (told.replayed) reply.header("idempotency-replayed", "true");
  if (waitSeconds > 0) reply.header("preference-applied", `wait=${waitSeconds}`);
  const { requestId, traceId } = facts;
  return reply
    .code(told.status)
    .type(JSON_TYPE)
    .send(successText(write(response), { requestId, traceId }));
}

/** The whole of what goes on to a service: a client's other headers are nobody's business inside. */
function forwardedHeaders({ headers, facts }: FastifyRequest, waitSeconds: number): Record<string, string> {
  const forwarded: Record<string, string> = { "x-request-id": facts.requestId, traceparent: facts.traceparent };
  if (facts.principal !== undefined && headers.authorization !== undefined)
    forwarded.authorization = headers.authorization;
  if (facts.idempotencyKey !== undefined) forwarded["idempotency-key"] = facts.idempotencyKey;
  if (waitSeconds > 0) forwarded.prefer = `wait=${waitSeconds}`;
  return forwarded;
}

function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}
