import type { IncomingHttpHeaders } from "node:http2";
import { FerryError } from "@ferry/platform/errors";
import { type HeadersInput, isHidden, isReserved, METADATA } from "../metadata.ts";

/** Names and values in turn, as HTTP/2 takes them; values of names that end in "-bin" are base64. */
export type HeaderList = string[];

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

function add(list: HeaderList, name: string, value: string): void {
  const key = name.toLowerCase();
  if (isReserved(key)) return;
  if (!NAME.test(key) || !VALUE.test(value)) throw uncarriable(key);
  if (!key.endsWith("-bin")) list.push(key, value);
  else for (const part of value.split(",")) list.push(key, Buffer.from(part.trim(), "base64").toString("base64"));
}

function uncarriable(key: string): FerryError {
  const reason = key === METADATA.idempotencyKey ? "IDEMPOTENCY_KEY_INVALID" : "INVALID_REQUEST";
  return new FerryError(reason, `the value of ${key} must be printable ASCII characters`);
}

/** The first value of a name; undefined when it is not in the list. */
export function findHeader(list: HeaderList, name: string): string | undefined {
  for (let at = 0; at < list.length; at += 2) if (list[at] === name) return list[at + 1];
  return undefined;
}

/** Headers or trailers of an answer; values that Headers cannot hold are left out rather than failing the call. */
export function headersOf(incoming: IncomingHttpHeaders | undefined): Headers {
  const headers = new Headers();
  if (incoming === undefined) return headers;
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || isHidden(name)) continue;
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
