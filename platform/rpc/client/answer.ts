import { constants, type IncomingHttpHeaders } from "node:http2";
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { DETAILS, fromWireStatus } from "../status.ts";

/** How an answer came to its end, as its frames told it. */
export interface ClosedAnswer {
  /** Status, content type, encoding; also the trailers when the answer has no more than one block of headers. */
  headers: IncomingHttpHeaders | undefined;
  trailers: IncomingHttpHeaders | undefined;
  /** What the stream was reset with; 0 when it was not. */
  resetCode: number;
  /** Whether the connection went away under the stream. */
  connectionLost: boolean;
}

const PREFIX_BYTES = 5;
const PERCENT = /%/;

/** Codes for answers that are no gRPC at all, by HTTP status (grpc/doc/http-grpc-status-mapping.md). */
const CODE_OF_HTTP: Readonly<Record<string, number>> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  429: Code.Unavailable,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

/** Codes for streams that were reset before a status came (grpc/doc/PROTOCOL-HTTP2.md). */
const CODE_OF_RESET: Readonly<Record<number, number>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_CANCEL]: Code.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
};

/** The error that the end of an answer tells; undefined when the call went well. */
export function failureOf(answer: ClosedAnswer): FerryError | undefined {
  const { headers, trailers, resetCode, connectionLost } = answer;
  const told = trailers?.["grpc-status"] !== undefined ? trailers : headers;
  const text = told?.["grpc-status"];
  if (text === "0") return undefined;
  if (typeof text === "string") {
    if (!/^\d{1,9}$/.test(text)) return broken(`the status is ${JSON.stringify(text)}`);
    return fromWireStatus({ code: Number(text), details: messageOf(told), packed: detailsOf(told) });
  }
  if (connectionLost) return fromWireStatus({ code: Code.Unavailable, details: "the connection was lost" });
  if (headers === undefined || resetCode !== 0) {
    const code = CODE_OF_RESET[resetCode] ?? Code.Internal;
    return fromWireStatus({ code, details: `the stream was reset with code ${resetCode}` });
  }
  const http = String(headers[":status"]);
  const code = CODE_OF_HTTP[http] ?? Code.Unknown;
  return fromWireStatus({ code, details: `an answer of HTTP status ${http} without a gRPC status` });
}

function messageOf(headers: IncomingHttpHeaders | undefined): string {
  const text = headers?.["grpc-message"];
  if (typeof text !== "string" || !PERCENT.test(text)) return String(text ?? "");
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function detailsOf(headers: IncomingHttpHeaders | undefined): Uint8Array | undefined {
  const text = headers?.[DETAILS];
  return typeof text === "string" ? Buffer.from(text, "base64") : undefined;
}

/** One message as it is sent: not compressed, its length before it. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Takes an answer's bytes as they come, and finds the messages in them. */
export class FrameReader {
  /** What was found and not taken yet, each with its prefix, for `unframe`. */
  readonly frames: Buffer[] = [];
  private readonly maxBytes: number;
  private chunks: Buffer[] = [];
  private size = 0;
  private needed = PREFIX_BYTES;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Whether the bytes end in the middle of a message. */
  get isTorn(): boolean {
    return this.size > 0;
  }

  /** @throws FerryError BODY_TOO_LARGE for a message above the limit, as soon as its length has come. */
  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.size >= this.needed) {
      const bytes = this.join();
      const length = bytes.readUInt32BE(1);
      if (length > this.maxBytes) throw tooLarge(this.maxBytes);
      this.needed = PREFIX_BYTES + length;
      if (this.size < this.needed) return;
      this.frames.push(bytes.subarray(0, this.needed));
      this.size -= this.needed;
      this.chunks = this.size === 0 ? [] : [bytes.subarray(this.needed)];
      this.needed = PREFIX_BYTES;
    }
  }

  private join(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.size)];
    return this.chunks[0]!;
  }
}

/**
 * The message in a frame.
 *
 * @param encoding What "grpc-encoding" says.
 * @returns A promise, which rejects with FerryError, only where the message has to be unpacked.
 */
export function unframe(
  frame: Buffer,
  encoding: string | string[] | undefined,
  maxBytes: number,
): Uint8Array | Promise<Uint8Array> {
  const message = frame.subarray(PREFIX_BYTES);
  return frame[0] === 0 ? message : unpack(message, String(encoding), maxBytes);
}

const unpackers: Readonly<Record<string, (packed: Uint8Array, options: object) => Promise<Buffer>>> = {
  gzip: promisify(gunzip) as never,
  deflate: promisify(inflate) as never,
};
/** What an answer may be packed with. */
export const ACCEPTED_ENCODINGS = ["identity", ...Object.keys(unpackers)].join(",");

async function unpack(message: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  const unpacker = unpackers[encoding];
  if (unpacker === undefined) throw broken(`the answer is packed with ${encoding}`);
  try {
    return await unpacker(message, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    throw broken("the answer cannot be unpacked", error);
  }
}

function tooLarge(maxBytes: number): FerryError {
  return new FerryError("BODY_TOO_LARGE", `the answer is larger than ${maxBytes} bytes`);
}

/** A peer that does not keep to the protocol. */
export function broken(text: string, cause?: unknown): FerryError {
  return new FerryError("INTERNAL", "internal error", { cause: new Error(text, { cause }) });
}
