import type { Message } from "@bufbuild/protobuf";
import {
  createAsyncIterable,
  pipe,
  transformDecompressEnvelope,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import type { FastifyRequest } from "fastify";
import type { EdgePlan } from "../routes.ts";
import { gzipCompression } from "./gzip.ts";

/** Whether a request's messages are JSON, in any of the protocols. */
export function isJson({ headers }: FastifyRequest): boolean {
  return /json/i.test(headers["content-type"] ?? "");
}

/**
 * Reads a JSON message by the edge's own rules: the protocols' library reads it too, but rounds integers above
 * 2^53, lets the last of two equal names win, and passes over names that the contract does not know.
 *
 * @returns Undefined when there is no JSON, or the body is not framed or packed as its headers say, which the library
 *   says in its words.
 * @throws BadField that names the field.
 */
export async function readStrictly(
  request: FastifyRequest,
  { route }: Pick<EdgePlan, "route">,
  maxMessageBytes: number,
): Promise<Message | undefined> {
  if (!isJson(request)) return undefined;
  const packed = (request.body as Buffer | undefined) ?? new Uint8Array(0);
  let body: Uint8Array | undefined;
  try {
    body = await unpacked(request, packed, maxMessageBytes);
  } catch {
    return undefined;
  }
  return body === undefined ? undefined : route.readRequest({ segments: [], query: "", body });
}

async function unpacked(
  { headers }: FastifyRequest,
  body: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const isBare = /^application\/json/i.test(headers["content-type"] ?? "");
  const encoding = isBare
    ? headers["content-encoding"]
    : (headers["connect-content-encoding"] ?? headers["grpc-encoding"]);
  if (encoding !== undefined && encoding !== "identity" && encoding !== "gzip") return undefined;
  const compression = encoding === "gzip" ? gzipCompression : null;
  if (isBare) return compression === null ? body : compression.decompress(body, maxBytes);
  const messages = pipe(
    createAsyncIterable([body]),
    transformSplitEnvelope(maxBytes),
    transformDecompressEnvelope(compression, maxBytes),
  );
  for await (const { data } of messages) return data;
  return undefined;
}
