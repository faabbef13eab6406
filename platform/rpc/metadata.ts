import type { IncomingHttpHeaders } from "node:http2";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { FerryError } from "@ferry/platform/errors";

/** Names of metadata that the platform itself reads and writes. */
export const METADATA = {
  authorization: "authorization",
  idempotencyKey: "idempotency-key",
  prefer: "prefer",
  requestId: "x-request-id",
  traceparent: "traceparent",
  /** Of public rpcs: where the caller of the edge is, and what it says it is. Nobody else's word is taken over. */
  clientAddress: "x-ferry-client-address",
  clientAgent: "x-ferry-client-agent",
} as const;

/** Never copied from an application's headers to the wire: the engine owns them. */
const RESERVED =
  /^(?::|grpc-|connect-|(?:content-type|content-length|user-agent|te|host|connection|accept-encoding|transfer-encoding)$)/;
/** Never shown to the application: they are between the engines. */
const HIDDEN =
  /^(?::|grpc-(?:encoding|accept-encoding|timeout|status|message|status-details-bin)$|(?:accept-encoding|te)$)/;

/** A message, or the fields of one. */
export type MessageInit = MessageInitShape<DescMessage>;

/** What connect's clients take as headers. */
export type HeadersInput = ConstructorParameters<typeof Headers>[0];

/** Names and values in turn, as HTTP/2 takes them; values of names that end in "-bin" are base64. */
export type HeaderList = string[];

/** Bytes as the value of a "-bin" name: base64, which should go without its padding (grpc/doc/PROTOCOL-HTTP2.md). */
export function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

const NAME = /^[0-9a-z_.-]+$/;
const VALUE = /^[\x20-\x7e]*$/;

/**
 * Appends an application's headers to a list.
 *
 * @throws FerryError INVALID_REQUEST or IDEMPOTENCY_KEY_INVALID for names or values that gRPC cannot carry.
 */
export function addHeaders(list: HeaderList, headers: HeadersInput): void {
  if (headers === undefined || headers === null) return;
  if (Symbol.iterator in headers) for (const [name, value] of headers) add(list, String(name), String(value));
  else for (const name in headers) add(list, name, String(headers[name]));
}

/** What becomes of a header by its name alone. */
type Kind = "reserved" | "bad" | "text" | "binary";
/** Of names that came before: they stand in code, so there are few of them. */
const kinds = new Map<string, Kind>();
const MAX_KINDS = 256;

function kindOf(key: string): Kind {
  const known = kinds.get(key);
  if (known !== undefined) return known;
  const kind = RESERVED.test(key) ? "reserved" : !NAME.test(key) ? "bad" : key.endsWith("-bin") ? "binary" : "text";
  if (kinds.size < MAX_KINDS) kinds.set(key, kind);
  return kind;
}

function add(list: HeaderList, name: string, value: string): void {
  const key = name.toLowerCase();
  const kind = kindOf(key);
  if (kind === "reserved") return;
  if (kind === "bad" || !VALUE.test(value)) throw uncarriable(key);
  if (kind === "text") list.push(key, value);
  else for (const part of value.split(",")) list.push(key, binaryText(Buffer.from(part.trim(), "base64")));
}

function uncarriable(key: string): FerryError {
  const reason = key === METADATA.idempotencyKey ? "IDEMPOTENCY_KEY_INVALID" : "INVALID_REQUEST";
  return new FerryError(reason, `the value of ${key} must be printable ASCII characters`);
}

/** The same as a list of its own. */
export function headerListOf(headers: HeadersInput): HeaderList {
  const list: HeaderList = [];
  addHeaders(list, headers);
  return list;
}

/** The first value of a name; undefined when it is not in the list. */
export function findHeader(list: HeaderList, name: string): string | undefined {
  for (let at = 0; at < list.length; at += 2) if (list[at] === name) return list[at + 1];
  return undefined;
}

/** What came over the wire, for the application; values that Headers cannot hold are left out rather than failing the call. */
export function headersOf(incoming: IncomingHttpHeaders | undefined): Headers {
  const headers = new Headers();
  if (incoming === undefined) return headers;
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || HIDDEN.test(name)) continue;
    const values = Array.isArray(value) ? value : name.endsWith("-bin") ? value.split(",") : [value];
    for (const each of values) {
      try {
        headers.append(name, name.endsWith("-bin") ? Buffer.from(each, "base64").toString("base64") : each);
      } catch {
        // A control character in a header of a peer says nothing about the call itself.
      }
    }
  }
  return headers;
}

/** The one text value of a name; undefined when there is none, the first of several. */
export function firstText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The bytes that names and values take, as HTTP/2 counts them (RFC 9113, section 6.5.2: 32 more for each). */
export function sizeOf(headers: IncomingHttpHeaders): number {
  let bytes = 0;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") bytes += name.length + value.length + 32;
    else for (const each of value ?? []) bytes += name.length + each.length + 32;
  }
  return bytes;
}
