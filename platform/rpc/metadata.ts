import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";
import { Metadata } from "@grpc/grpc-js";

/** Names of metadata that the platform itself reads and writes. */
export const METADATA = {
  authorization: "authorization",
  idempotencyKey: "idempotency-key",
  prefer: "prefer",
  requestId: "x-request-id",
  traceparent: "traceparent",
} as const;

/** Never copied from an application's headers to the wire: the engine owns them. */
const RESERVED =
  /^(?::|grpc-|connect-|(?:content-type|content-length|user-agent|te|host|connection|accept-encoding|transfer-encoding)$)/;
/** Never shown to the application: they are between the engines. */
const HIDDEN =
  /^(?::|grpc-(?:encoding|accept-encoding|timeout|status|message|status-details-bin)$|(?:accept-encoding|te)$)/;

/** Whether a name (in lower case) is one that the engine alone writes. */
export function isReserved(name: string): boolean {
  return RESERVED.test(name);
}

/** Whether a name (in lower case) is kept from the application. */
export function isHidden(name: string): boolean {
  return HIDDEN.test(name);
}

/** A message, or the fields of one. */
export type MessageInit = MessageInitShape<DescMessage>;

/** What connect's clients take as headers. */
export type HeadersInput = ConstructorParameters<typeof Headers>[0];

/** A view of the same bytes that the engine accepts. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Writes an application's headers into metadata. Values of names that end in "-bin" are base64.
 *
 * @throws FerryError INVALID_REQUEST or IDEMPOTENCY_KEY_INVALID for names or values that gRPC cannot carry.
 */
export function addHeaders(metadata: Metadata, headers: HeadersInput): void {
  if (headers === undefined || headers === null) return;
  for (const [name, value] of Symbol.iterator in headers ? headers : Object.entries(headers)) {
    const key = String(name).toLowerCase();
    if (RESERVED.test(key)) continue;
    try {
      if (!key.endsWith("-bin")) metadata.add(key, String(value));
      else for (const part of String(value).split(",")) metadata.add(key, Buffer.from(part.trim(), "base64"));
    } catch (error) {
      const reason = key === METADATA.idempotencyKey ? "IDEMPOTENCY_KEY_INVALID" : "INVALID_REQUEST";
      throw new FerryError(reason, `the value of ${key} must be printable ASCII characters`, { cause: error });
    }
  }
}

/** Metadata of an application's headers. */
export function toMetadata(headers: HeadersInput): Metadata {
  const metadata = new Metadata();
  addHeaders(metadata, headers);
  return metadata;
}

/** Headers of what came over the wire; values that Headers cannot hold are left out rather than failing the call. */
export function toHeaders(metadata: Metadata | undefined): Headers {
  const headers = new Headers();
  if (metadata === undefined) return headers;
  const entries = metadata.toJSON();
  for (const name in entries) {
    if (HIDDEN.test(name)) continue;
    for (const value of entries[name] ?? []) {
      try {
        headers.append(name, typeof value === "string" ? value : value.toString("base64"));
      } catch {
        // A control character in a header of a peer says nothing about the call itself.
      }
    }
  }
  return headers;
}

/** The one text value of a name; undefined when there is none, the first of several. */
export function firstText(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === "string" ? value : undefined;
}

/** The bytes that names and values take, roughly as HTTP/2 counts them (RFC 9113, section 6.5.2: 32 more for each). */
export function sizeOf(metadata: Metadata): number {
  let bytes = 0;
  const entries = metadata.toJSON();
  for (const name in entries) for (const value of entries[name] ?? []) bytes += name.length + value.length + 32;
  return bytes;
}
