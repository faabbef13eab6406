import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { AuthorityState } from "@ferry/platform/auth";
import { FerryError } from "@ferry/platform/errors";
import { toConnectError } from "@ferry/platform/rpc";
import type { Logger } from "@ferry/platform/telemetry";
import { Abort } from "../abort.ts";
import { demandStillIn } from "../access.ts";
import type { BackendCall } from "../backends.ts";
import { failureHeaders } from "../envelope.ts";
import { logFailure, toFailure } from "../failures.ts";
import { withJsonNames } from "../field-names.ts";
import { waitSecondsOf } from "../prefer.ts";
import { forwardedHeaders, joined } from "../request-headers.ts";
import type { EdgePlan } from "../routes.ts";
import type { Streams } from "../streams.ts";
import { LONGEST_MS } from "./deadline.ts";
import type { DoorMethod } from "./handlers.ts";
import { type Exchange, exchangeOf } from "./wire.ts";

export interface ForwardOptions {
  streams: Streams;
  authority: AuthorityState;
  logger: Logger;
}

/** The longest that a call may take by its contract, waiting for its end included, in milliseconds. */
export function longestMs({ policy }: Pick<EdgePlan, "policy">): number {
  return policy.deadlineMs === 0 ? LONGEST_MS : policy.deadlineMs + policy.maxWaitMs;
}

/** Answers an rpc by a call of the service behind: the way of a REST request, from its message on. */
export function forwardTo(plan: EdgePlan, options: ForwardOptions): DoorMethod {
  const { rpc } = plan.route;
  if (rpc.methodKind === "unary") return { rpc, answer: (_, context) => unary(plan, rpc, context, options) };
  return { rpc, answer: (_, context) => stream(plan, rpc, context, options) };
}

type Unary = Extract<DoorMethod, { rpc: { methodKind: "unary" } }>["rpc"];
type Streaming = Exclude<DoorMethod["rpc"], Unary>;

async function unary(plan: EdgePlan, rpc: Unary, context: HandlerContext, options: ForwardOptions): Promise<Message> {
  const exchange = exchangeOf(context);
  const { request } = exchange;
  try {
    const message = checkedMessage(plan, exchange);
    const waitSeconds = waitSecondsOf(joined(request.headers.prefer), Math.floor(plan.policy.maxWaitMs / 1_000));
    const call = callOf(plan, exchange, context, waitSeconds);
    const response = await plan.backend.unary(rpc, message, call);
    if (plan.status.statusOf(response).replayed) context.responseHeader.set("idempotency-replayed", "true");
    if (waitSeconds > 0) context.responseHeader.set("preference-applied", `wait=${waitSeconds}`);
    return response;
  } catch (error) {
    throw failed(error, exchange, rpc, options.logger);
  }
}

async function* stream(
  plan: EdgePlan,
  rpc: Streaming,
  context: HandlerContext,
  options: ForwardOptions,
): AsyncIterable<Message> {
  const exchange = exchangeOf(context);
  const { request, reply } = exchange;
  const { facts } = request;
  const abort = facts.abort ?? new Abort();
  try {
    const message = checkedMessage(plan, exchange);
    const { leave } = options.streams.enter(facts.principal?.id ?? request.ip, abort);
    reply.raw.once("close", leave);
    for await (const each of plan.backend.stream(rpc, message, callOf(plan, exchange, context, 0))) {
      demandStillIn(facts.principal, options.authority);
      yield each;
    }
  } catch (error) {
    throw failed(error, exchange, rpc, options.logger);
  } finally {
    abort.abort(new FerryError("CANCELED", "nobody reads the stream any more"));
  }
}

/** The message, when it keeps the field rules. @throws FerryError INVALID_REQUEST. */
function checkedMessage(plan: EdgePlan, { message }: Exchange): Message {
  if (message === undefined) throw new FerryError("INVALID_REQUEST", "the body is not what its headers say");
  plan.checkRules(message);
  return message;
}

/** @throws FerryError DEADLINE_EXCEEDED when the caller's time is over already. */
function callOf(plan: EdgePlan, { request }: Exchange, context: HandlerContext, waitSeconds: number): BackendCall {
  const { deadlineMs } = plan.policy;
  const contractMs = deadlineMs === 0 ? LONGEST_MS : deadlineMs + waitSeconds * 1_000;
  const timeoutMs = Math.min(contractMs, context.timeoutMs() ?? contractMs);
  if (timeoutMs <= 0) throw new FerryError("DEADLINE_EXCEEDED", "the time for the call is over");
  return { headers: forwardedHeaders(request, waitSeconds), timeoutMs, signal: request.facts.abort };
}

/** What went wrong as these protocols tell it; a call that the edge itself has ended says why it did. */
function failed(thrown: unknown, { request }: Exchange, rpc: DescMethod, logger: Logger) {
  const { facts } = request;
  const reason = facts.abort?.aborted ? facts.abort.reason : thrown;
  return refusal(withJsonNames(reason, rpc.input), request, logger);
}

/** Logs an error as for REST, and makes it one that goes out, with the headers that belong to it. */
export function refusal(thrown: unknown, { facts }: Exchange["request"], logger: Logger) {
  const error = toFailure(thrown);
  logFailure(error, { requestId: facts.requestId, traceId: facts.traceId }, logger);
  return toConnectError(error, failureHeaders(error));
}
