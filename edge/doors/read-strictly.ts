import { type DescMessage, fromBinary, type Message } from "@bufbuild/protobuf";
import {
  createAsyncIterable,
  pipe,
  transformDecompressEnvelope,
  transformSplitEnvelope,
} from "@connectrpc/connect/protocol";
import type { FastifyRequest } from "fastify";
import type { EdgePlan } from "../routes.ts";
import { BadField } from "../transcoding/index.ts";
import { gzipCompression } from "./gzip.ts";

/** Whether a request's messages are JSON, in any of the protocols. */
function isJson({ headers }: FastifyRequest): boolean {
  return /json/i.test(headers["content-type"] ?? "");
}

/**
 * Reads a message by the edge's own rules: the protocols' library reads it too, but of JSON it rounds integers above
 * 2^53, lets the last of two equal names win, and passes over names that the contract does not know; and protobuf that
 * is no message, or has a text that is no UTF-8, it takes for a defect of ours.
 *
 * @returns Undefined when the body is not framed or packed as its headers say, which the library says in its words.
 * @throws BadField that names the field, where JSON is bad.
 */
export async function readStrictly(
  request: FastifyRequest,
  { route }: Pick<EdgePlan, "route">,
  maxMessageBytes: number,
): Promise<Message | undefined> {
  const packed = (request.body as Buffer | undefined) ?? new Uint8Array(0);
  let body: Uint8Array | undefined;
  try {
    body = await unpacked(request, packed, maxMessageBytes);
  } catch {
    return undefined;
  }
  if (body === undefined) return undefined;
  return isJson(request) ? route.readRequest({ segments: [], query: "", body }) : readBinary(route.rpc.input, body);
}

function readBinary(desc: DescMessage, body: Uint8Array): Message {
  try {
    return fromBinary(desc, body);
  } catch {
    throw new BadField("", `the body is not a ${desc.typeName}`);
  }
}

async function unpacked(
  { headers }: FastifyRequest,
  body: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const isBare = /^application\/(?:json|proto)/i.test(headers["content-type"] ?? "");
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
