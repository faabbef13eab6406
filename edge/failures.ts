import { type IncomingMessage, METHODS, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { FerryError, fromUnknown, invalidRequest } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import type { FastifyReply } from "fastify";
import { failureHeaders, failureText, JSON_TYPE, type Meta } from "./envelope.ts";
import { factsOf, type RequestFacts } from "./request-facts.ts";
import { BadField } from "./transcoding/index.ts";

/** Errors of the framework that are the client's, by its codes. What is not here is a defect of ours. */
const FRAMEWORK: Readonly<Record<string, () => FerryError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new FerryError("BODY_TOO_LARGE", "the body is larger than allowed"),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => unsupportedMediaType(),
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: () => unsupportedMediaType(),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => invalidRequest([{ field: "", description: "the body ended too early" }]),
  FST_ERR_BAD_URL: () => new FerryError("INVALID_REQUEST", "the path is not valid percent-encoded UTF-8"),
  ECONNRESET: () => new FerryError("CANCELED", "the client went away"),
};

/** @param others What the route takes beside JSON. */
export function unsupportedMediaType(others: readonly string[] = []): FerryError {
  const types = ["application/json", ...others].join(" or ");
  return new FerryError("MEDIA_TYPE_UNSUPPORTED", `the body must be ${types} in UTF-8`);
}

/** Its message says what the answer's header Accept-Encoding says too. */
export function unsupportedEncoding(): FerryError & { acceptEncoding?: string } {
  const error = new FerryError("MEDIA_TYPE_UNSUPPORTED", "the body may be compressed by gzip alone, once");
  return Object.assign(error, { acceptEncoding: "gzip, identity" });
}

/**
 * A condition that is not looked at must not look as if it were kept. Changes are commands, decided under a lock in
 * their service and named by their key: there is no version for a client to hold on to.
 */
export function conditionalChange(): FerryError {
  return new FerryError("INVALID_REQUEST", "If-Match is not offered: changes are not conditional");
}

/** Makes whatever is thrown while a request is served one error of the catalogue. */
export function toFailure(thrown: unknown): FerryError {
  if (thrown instanceof FerryError) return thrown;
  if (thrown instanceof BadField) {
    if (thrown.field === "") return new FerryError("INVALID_REQUEST", thrown.message);
    return invalidRequest([{ field: thrown.field, description: thrown.description }]);
  }
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  return (Object.hasOwn(FRAMEWORK, code) ? FRAMEWORK[code]?.() : undefined) ?? fromUnknown(thrown);
}

/** Answers a request with an error, in the envelope. */
export function sendFailure(reply: FastifyReply, facts: RequestFacts, thrown: unknown, logger: Logger): FastifyReply {
  const error = toFailure(thrown);
  const { requestId, traceId } = facts;
  logFailure(error, { requestId, traceId }, logger);
  return reply
    .code(error.entry.httpStatus)
    .headers({ ...failureHeaders(error), ...encodingHeaders(error), "x-request-id": requestId })
    .type(JSON_TYPE)
    .send(failureText(error, { requestId, traceId }));
}

/** What a body may be packed by, where it was packed otherwise (RFC 9110, 15.5.16). */
function encodingHeaders(error: FerryError): Record<string, string> {
  return "acceptEncoding" in error ? { "accept-encoding": String(error.acceptEncoding) } : {};
}

/** Defects of ours are told in full; what is away in a word; what was shed not at all, since logging would add to the load. */
export function logFailure({ reason, entry, cause, message }: FerryError, ids: Meta, logger: Logger): void {
  if (entry.httpStatus < 500 || reason === "OVERLOADED") return;
  const told = cause instanceof Error ? cause.message : String(cause ?? message);
  if (reason !== "INTERNAL") logger.warn({ ...ids, reason, cause: told }, "a request failed");
  else
    logger.error({ ...ids, cause: told, stack: cause instanceof Error ? cause.stack : undefined }, "a request failed");
}

/** What Node tells of bytes that are no HTTP. */
interface ParserError {
  code?: string;
  /** The bytes that were being read, a Buffer. */
  rawPacket?: unknown;
}

/** A socket, and the answer that Node has under way on it. */
type HttpSocket = Socket & { _httpMessage?: ServerResponse<IncomingMessage> | null };

/** Sockets that close with the answer that is under way on them. */
const closing = new WeakSet<Socket>();

/**
 * What came is broken, but stands behind a request that has come whole and is being served: an answer now would be
 * taken for that request's, and say that nothing was done. Its own answer still goes out, and is the last one.
 */
function closeAfter(socket: Socket, pending: ServerResponse): void {
  closing.add(socket);
  pending.shouldKeepAlive = false;
  pending.once("finish", () => socket.destroySoon());
}

/**
 * Answers what the HTTP parser refused, before there is a request: in the envelope too, then the connection closes.
 * It is called by the parser itself: an error that is thrown here ends the process.
 * @param allowedOf The methods of a path, for requests whose method the parser does not know. Must not throw.
 */
export function answerClientError(
  error: ParserError,
  socket: HttpSocket,
  allowedOf: (path: string) => readonly string[],
): void {
  const isGone = error.code === "ECONNRESET" || !socket.writable;
  if (closing.has(socket) && !isGone) return;
  const { _httpMessage: pending } = socket;
  if (isGone || pending?.headersSent) {
    socket.destroy();
    return;
  }
  if (pending?.req.complete) {
    closeAfter(socket, pending);
    return;
  }
  const facts = factsOf({ headers: {} });
  const { failure, allow } = parserFailure(error, allowedOf);
  const body = failureText(failure, facts);
  const status = failure.entry.httpStatus;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    `content-type: ${JSON_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${facts.requestId}`,
    "cache-control: no-store",
    ...(allow === undefined ? [] : [`allow: ${allow.join(", ")}`]),
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroySoon());
}

function parserFailure(
  error: ParserError,
  allowedOf: (path: string) => readonly string[],
): { failure: FerryError; allow?: readonly string[] } {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return { failure: new FerryError("HEADERS_TOO_LARGE", "the headers are larger than 16 KB") };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { failure: new FerryError("BODY_TOO_LARGE", "the body's chunk extensions are larger than allowed") };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { failure: new FerryError("INVALID_REQUEST", "the request did not arrive in time") };
    case "HPE_INVALID_METHOD": {
      const line = Buffer.isBuffer(error.rawPacket) ? requestLineOf(error.rawPacket.toString("latin1")) : undefined;
      const allow = line === undefined || METHODS.includes(line.method) ? [] : allowedOf(line.path);
      if (allow.length > 0) return { failure: methodNotAllowed(allow), allow };
    }
  }
  return { failure: new FerryError("INVALID_REQUEST", "the request is not valid HTTP") };
}

/**
 * Method and path of a request whose method the parser does not know. Of the pattern's parts none can take what another
 * could: with two that can, a long path would be tried in as many ways as its length squared.
 */
export function requestLineOf(packet: string): { method: string; path: string } | undefined {
  const line = /^([A-Z]{1,32}) (\/[^\s?]*)(?:\?\S*)? HTTP\/1\.[01]\r?\n/.exec(packet);
  return line === null ? undefined : { method: line[1]!, path: line[2]! };
}

export function methodNotAllowed(allow: readonly string[]): FerryError {
  return new FerryError("METHOD_NOT_ALLOWED", `this path knows ${allow.join(", ")} only`);
}
