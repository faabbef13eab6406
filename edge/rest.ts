import { Readable } from "node:stream";
import type { DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { runInContext } from "@ferry/platform/telemetry";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Abort } from "./abort.ts";
import { demandStillIn } from "./access.ts";
import { sendContent } from "./content.ts";
import { JSON_TYPE, successText } from "./envelope.ts";
import { etagOf, isKnown } from "./etag.ts";
import { partsOf, within } from "./event-stream.ts";
import { toFailure } from "./failures.ts";
import { withJsonNames } from "./field-names.ts";
import { waitSecondsOf } from "./prefer.ts";
import { readerFor } from "./raw-bodies.ts";
import { forwardedHeaders, joined } from "./request-headers.ts";
import type { EdgeMatch } from "./routes.ts";
import { streamFormOf } from "./stream-form.ts";
import type { Streams } from "./streams.ts";
import { splitTarget } from "./target.ts";

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
