import { constants, type IncomingHttpHeaders } from "node:http2";
import { Code } from "@connectrpc/connect";
import { FerryError } from "@ferry/platform/errors";
import { DETAILS, fromWireStatus, PeerFailed } from "../status.ts";

/** How an answer came to its end, as its frames told it. */
export interface ClosedAnswer {
  /** Status, content type, encoding; also the trailers when nothing comes after them. */
  headers: IncomingHttpHeaders | undefined;
  /** Whether any bytes of messages came. */
  hasBody: boolean;
  trailers: IncomingHttpHeaders | undefined;
  /** What the stream was reset with; 0 when it was not. */
  resetCode: number;
  /** Whether the connection went away under the stream. */
  connectionLost: boolean;
}

const PERCENT = /%/;
const LOST = new Error("the connection was lost");

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
  const { headers, hasBody, trailers, resetCode, connectionLost } = answer;
  const told = trailers ?? (hasBody ? undefined : headers);
  const text = told?.["grpc-status"];
  if (text === "0") return undefined;
  if (typeof text === "string") {
    if (!/^\d{1,9}$/.test(text)) return broken(`the status is ${JSON.stringify(text)}`);
    return fromWireStatus({ code: Number(text), details: messageOf(told), packed: detailsOf(told) });
  }
  if (connectionLost)
    return new PeerFailed("UNAVAILABLE", "a service that is needed cannot be reached", { cause: LOST });
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

/** A peer that answers with none or several messages where one is due (grpc/doc/statuscodes.md). */
export function miscounted(text: string): FerryError {
  return new FerryError("UNIMPLEMENTED", "the answer is not one message", { cause: new Error(text) });
}

/** A peer that does not keep to the protocol. */
export function broken(text: string, cause?: unknown): FerryError {
  return new FerryError("INTERNAL", "internal error", { cause: new Error(text, { cause }) });
}
