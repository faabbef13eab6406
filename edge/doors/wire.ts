import { Readable } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { FerryError } from "@ferry/platform/errors";
import type { FastifyReply, FastifyRequest } from "fastify";
import { unsupportedMediaType } from "../failures.ts";
import { capTimeout } from "./deadline.ts";

/** One HTTP request and its answer, for who answers an rpc behind a door. */
export interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
  /** The request's message, read by the edge's own rules. */
  message?: Message | undefined;
}

const EXCHANGE = createContextKey<Exchange | undefined>(undefined);

/** @throws Error outside of a door. */
export function exchangeOf({ values }: { values: ContextValues }): Exchange {
  const exchange = values.get(EXCHANGE);
  if (exchange === undefined) throw new Error("the call came through no door");
  return exchange;
}

/** Whether a request is one in a protocol of the handler, so that also what is refused can be answered in it. */
export function speaks(handler: UniversalHandler, { headers }: FastifyRequest): boolean {
  const type = headers["content-type"] ?? "";
  // The library names the base64 form of gRPC-Web as its own, and refuses it.
  return handler.supportedContentType(type) && !/^application\/grpc-web-text/i.test(type);
}

/** Makes the check that a request is in a protocol of the handler. It throws FerryError MEDIA_TYPE_UNSUPPORTED. */
export function typeCheck(handler: UniversalHandler, types: readonly string[]): (request: FastifyRequest) => void {
  const message = `the body must be one of ${types.join(", ")}`;
  return (request) => {
    if (!speaks(handler, request)) throw new FerryError("MEDIA_TYPE_UNSUPPORTED", message);
  };
}

/**
 * Answers a request whose body is here.
 *
 * @param capMs The longest that the caller may ask for, in milliseconds.
 */
export function answer(handler: UniversalHandler, exchange: Exchange, capMs: number): Promise<FastifyReply> {
  const { request } = exchange;
  const headers = headersOf(request);
  capTimeout(headers, capMs);
  const body = request.body as Buffer | undefined;
  return respond(handler, exchange, headers, once(body === undefined ? [] : [body]));
}

/** Answers a request that was refused before its body was read, in its own protocol. */
export function refuse(handler: UniversalHandler, exchange: Exchange, error: unknown): Promise<FastifyReply> {
  const headers = headersOf(exchange.request);
  // Nothing but the refusal is to be told: neither a length that no body has, nor a header that is not understood.
  for (const name of ["content-length", "content-encoding", "connect-content-encoding", "grpc-encoding"])
    headers.delete(name);
  for (const name of ["connect-timeout-ms", "grpc-timeout"]) headers.delete(name);
  return respond(handler, exchange, headers, failing(error));
}

async function respond(
  handler: UniversalHandler,
  exchange: Exchange,
  header: Headers,
  body: AsyncIterable<Uint8Array>,
): Promise<FastifyReply> {
  const { request, reply } = exchange;
  const response = await handler({
    httpVersion: request.raw.httpVersion,
    url: `http://edge${handler.requestPath}`,
    method: request.method,
    header,
    body,
    signal: request.facts.abort?.signal ?? new AbortController().signal,
    contextValues: createContextValues().set(EXCHANGE, exchange),
  });
  if (response.body === undefined && response.status === 415) throw unsupportedMediaType();
  reply.code(response.status);
  response.header?.forEach((value, name) => {
    if (name !== "content-length") reply.header(name, value);
  });
  // Closed after it, so that a stop need not wait for a connection that was busy when it began.
  if (handler.method.methodKind !== "unary") reply.header("connection", "close");
  return reply.send(await payloadOf(handler, response));
}

/** One message is sent at once, with its length; a stream as it comes. */
async function payloadOf(handler: UniversalHandler, { body }: UniversalServerResponse): Promise<Buffer | Readable> {
  if (body === undefined) return Buffer.alloc(0);
  if (handler.method.methodKind !== "unary") return Readable.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks.length === 1 ? asBuffer(chunks[0]!) : Buffer.concat(chunks);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf({ headers }: FastifyRequest): Headers {
  const made = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") made.set(name, value);
    else for (const each of value ?? []) made.append(name, each);
  }
  return made;
}

async function* once(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* chunks;
}

// biome-ignore lint/correctness/useYield: a body that ends in an error before its first byte.
async function* failing(error: unknown): AsyncIterable<Uint8Array> {
  throw error;
}
