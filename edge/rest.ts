import { Readable } from "node:stream";
import type { DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Authenticator, AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { runInContext } from "@ferry/platform/telemetry";
import type { FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import { Abort } from "./abort.ts";
import { addClient, authorize, demandStillIn } from "./access.ts";
import { checkContentLength, hasBody, isGzip } from "./body-limit.ts";
import { sendContent } from "./content.ts";
import { JSON_TYPE, successText } from "./envelope.ts";
import { etagOf, isKnown } from "./etag.ts";
import { partsOf, within } from "./event-stream.ts";
import {
  conditionalChange,
  methodNotAllowed,
  toFailure,
  unsupportedEncoding,
  unsupportedMediaType,
} from "./failures.ts";
import { withJsonNames } from "./field-names.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import type { InFlight } from "./in-flight.ts";
import { waitSecondsOf } from "./prefer.ts";
import type { ChargeRate } from "./rate-limits.ts";
import { readerFor } from "./raw-bodies.ts";
import type { EdgeMatch, EdgePlan, EdgeRoutes } from "./routes.ts";
import { streamFormOf } from "./stream-form.ts";
import type { Streams } from "./streams.ts";

export interface RestOptions {
  routes: EdgeRoutes;
  /** Paths that are served beside the routes, each by GET. */
  plainPaths: ReadonlySet<string>;
  authenticator: Authenticator;
  authority: AuthorityState;
  inFlight: InFlight;
  charge: ChargeRate;
  /** The largest body where the contract says nothing, in bytes. */
  maxBodyBytes: number;
  /** What a body's headers must be; as REST wants them by default. */
  checkBody?: (request: FastifyRequest, plan: EdgePlan) => void;
}

/** The target of a request in its two parts; the query without its question mark. */
export function splitTarget(url: string): { path: string; query: string } {
  const target = url.startsWith("/") ? url : originForm(url);
  const mark = target.indexOf("?");
  return mark === -1 ? { path: target, query: "" } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** Of a target that names its host too, as to a proxy, which every server must take (RFC 9112, 3.2.2). */
function originForm(url: string): string {
  const rest = url.replace(/^https?:\/\/[^/?]*/i, "");
  return rest.startsWith("?") ? `/${rest}` : rest;
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
export function createAdmission(options: RestOptions): onRequestHookHandler {
  const { authenticator, authority, inFlight, charge, maxBodyBytes, checkBody = checkBodyHeaders } = options;

  function admit(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    const { facts } = request;
    facts.abort = inFlight.enter(reply.raw);
    const match = findRoute(options, request);
    if (match instanceof FerryError) {
      if ("allow" in match) reply.header("allow", match.allow);
      return after(charge(request, reply, "read"), () => fail(match));
    }
    facts.match = match;
    const { plan } = match;
    if (plan.deprecation !== undefined) reply.headers(plan.deprecation.headers);
    const isPublic = plan.policy.auth === "public";
    if (!isPublic) {
      const reason = authority.unready();
      if (reason !== undefined) throw new FerryError("UNAVAILABLE", "tokens cannot be verified yet", { cause: reason });
      try {
        facts.principal = authenticator.authenticate(request.headers.authorization);
      } catch (error) {
        return after(charge(request, reply, "read"), () => fail(error));
      }
    }
    return after(charge(request, reply, plan.rateClass), () => {
      if (facts.principal !== undefined) authorize(plan.policy, facts.principal, authenticator);
      checkBody(request, plan);
      checkContentLength(request, reply, plan, maxBodyBytes);
      if (plan.policy.keyRequired)
        facts.idempotencyKey = idempotencyKey(headerValues(request.raw.rawHeaders, "idempotency-key"));
    });
  }

  // With a callback: nearly always nobody waits for anything, and a promise would be the greater part of the cost.
  return (request, reply, done) => {
    let admitted: Promise<void> | undefined;
    try {
      admitted = admit(request, reply);
    } catch (error) {
      done(error as FerryError);
      return;
    }
    if (admitted === undefined) done();
    else admitted.then(() => done(), done);
  };
}

/** Goes on at once where there is nothing to wait for. */
function after(waited: Promise<void> | undefined, next: () => void): Promise<void> | undefined {
  if (waited !== undefined) return waited.then(next);
  next();
  return undefined;
}

function fail(error: unknown): never {
  throw error;
}

function findRoute(
  { routes, plainPaths }: Pick<RestOptions, "routes" | "plainPaths">,
  { raw }: FastifyRequest,
): EdgeMatch | (FerryError & { allow?: string }) {
  const { path } = splitTarget(raw.url ?? "");
  const found = routes.find(raw.method ?? "", path);
  if (found !== undefined && "plan" in found) return found;
  const allow = allowHeader(found?.allowed ?? (plainPaths.has(path) ? ["GET"] : []));
  if (allow.length === 0) return new FerryError("ROUTE_NOT_FOUND", "there is no such route");
  return Object.assign(methodNotAllowed(allow), { allow: allow.join(", ") });
}

/** What a body's headers say must fit before any of it is read. */
function checkBodyHeaders(request: FastifyRequest, plan: EdgePlan): void {
  const { headers } = request;
  const comes = hasBody(request);
  if (comes && !plan.route.takesBody) throw new FerryError("INVALID_REQUEST", "this route takes no body");
  if (comes && readerFor(plan, headers["content-type"]) === undefined)
    throw unsupportedMediaType([...plan.rawBodies.keys()]);
  const encoding = headers["content-encoding"] ?? "identity";
  if (comes && encoding.toLowerCase() !== "identity" && !isGzip(request)) throw unsupportedEncoding();
  if (headers["if-match"] !== undefined && plan.route.httpMethod !== "GET") throw conditionalChange();
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
export function createHandler(serving: { streams: Streams; authority: AuthorityState }) {
  return (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> | undefined => {
    const { requestId, traceparent, match } = request.facts;
    if (match === undefined) throw new Error("a request came to its handler without a route");
    const { rpc } = match.plan.route;
    return runInContext({ requestId, traceparent }, () => {
      if (rpc.methodKind !== "unary") return stream(request, reply, match, rpc, serving);
      answer(request, reply, match, rpc);
      return undefined;
    });
  };
}

/** @throws BadField, FerryError INVALID_REQUEST. */
function messageOf(request: FastifyRequest, { plan, segments }: EdgeMatch): Message {
  const { query } = splitTarget(request.raw.url ?? "");
  const body = request.body as Buffer | undefined;
  const readRequest = readerFor(plan, request.headers["content-type"]) ?? plan.route.readRequest;
  const message = readRequest({ segments, query, body, contentType: request.headers["content-type"] });
  plan.events?.resume(message, joined(request.headers["last-event-id"]));
  plan.checkRules(message);
  return message;
}

/**
 * Calls the service and sends what it answers, by callbacks: the promises that the framework would wrap around a
 * handler's are spared to every request.
 * @throws BadField, FerryError INVALID_REQUEST.
 */
function answer(request: FastifyRequest, reply: FastifyReply, match: EdgeMatch, rpc: DescMethodUnary): void {
  const { abort } = request.facts;
  const { policy, backend } = match.plan;
  const message = messageOf(request, match);
  const waitSeconds = waitSecondsOf(joined(request.headers.prefer), Math.floor(policy.maxWaitMs / 1_000));
  const refuse = (error: unknown) => {
    reply.send(toFailure(abort?.aborted ? abort.reason : withJsonNames(error, rpc.input)));
  };
  backend
    .unary(rpc, message, {
      headers: forwardedHeaders(request, waitSeconds),
      timeoutMs: policy.deadlineMs + waitSeconds * 1_000,
      signal: abort,
    })
    .then((response) => {
      try {
        sendAnswer(request, reply, match, response, waitSeconds);
      } catch (error) {
        reply.send(toFailure(error)); // What cannot be written is a defect of ours, or of the service.
      }
    }, refuse);
}

function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  match: EdgeMatch,
  response: Message,
  waitSeconds: number,
): void {
  const { route, status, write } = match.plan;
  const told = status.statusOf(response);
  if (told.replayed) reply.header("idempotency-replayed", "true");
  if (waitSeconds > 0) reply.header("preference-applied", `wait=${waitSeconds}`);
  if (route.answerForm === "any") {
    sendContent(reply.code(told.status), route, route.httpBodyOf(response));
    return;
  }
  const data = write(response);
  if (route.httpMethod === "GET") {
    const etag = etagOf(data);
    reply.header("etag", etag);
    const known = request.headers["if-none-match"];
    if (known !== undefined && isKnown(known, etag)) {
      reply.code(304).send();
      return;
    }
  }
  reply.code(told.status).type(JSON_TYPE).send(successText(data, request.facts));
}

/** Shorter than proxies let a connection be silent, mostly 60 s. */
const HEARTBEAT_MS = 15_000;

/** Answers an rpc that answers a stream, in the form asked for, until it ends, its time is over or the client leaves. */
async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  match: EdgeMatch,
  rpc: DescMethodServerStreaming,
  { streams, authority }: { streams: Streams; authority: AuthorityState },
): Promise<FastifyReply> {
  const { facts } = request;
  const { policy, backend } = match.plan;
  const message = messageOf(request, match);
  const form = streamFormOf(match.plan, request.headers.accept);
  if (request.raw.method === "HEAD") return reply.header("content-type", form.type).send(); // Nobody would read it.
  const abort = facts.abort ?? new Abort();
  const { leave } = streams.enter(facts.principal?.id ?? request.ip, abort);
  reply.raw.once("close", leave);
  const forwarded = forwardedHeaders(request, 0);
  const call = backend.stream(rpc, message, { headers: forwarded, timeoutMs: policy.deadlineMs, signal: abort });
  const rest = call[Symbol.asyncIterator]();
  const first = rest.next();
  const beginning = await within(first, form.firstMessageMs).catch((error) => {
    throw abort.aborted ? abort.reason : withJsonNames(error, rpc.input);
  });
  if (beginning !== "late" && beginning.done === true && form.emptyStatus === 204) return reply.code(204).send();
  const { requestId, traceId } = facts;
  const cancel = () => abort.abort(new FerryError("CANCELED", "nobody reads the stream any more"));
  const type = form.typeOf(beginning);
  if (type === undefined) {
    cancel();
    throw new FerryError("DEADLINE_EXCEEDED", "the content did not begin in time");
  }
  const framing = form.framing(beginning, { requestId, traceId });
  const demandAccess = () => demandStillIn(facts.principal, authority);
  const parts = partsOf(framing, { first, rest, cancel, demandAccess, heartbeatMs: HEARTBEAT_MS });
  // Closed after it, so that a stop need not wait for a connection that was busy when it began.
  const headers = { "x-accel-buffering": "no", connection: "close" };
  return reply.headers({ ...headers, "content-type": type }).send(Readable.from(parts));
}

/** The whole of what goes on to a service: a client's other headers are nobody's business inside. */
export function forwardedHeaders(request: FastifyRequest, waitSeconds: number): Record<string, string> {
  const { headers, facts } = request;
  const forwarded: Record<string, string> = { "x-request-id": facts.requestId, traceparent: facts.traceparent };
  if (facts.principal !== undefined && headers.authorization !== undefined)
    forwarded.authorization = headers.authorization;
  if (facts.idempotencyKey !== undefined) forwarded["idempotency-key"] = facts.idempotencyKey;
  if (waitSeconds > 0) forwarded.prefer = `wait=${waitSeconds}`;
  if (facts.match?.plan.policy.auth === "public") addClient(forwarded, request.ip, headers["user-agent"]);
  return forwarded;
}

/** A header that may come several times, as one text. */
export function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}
