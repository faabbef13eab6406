import { hash, randomFillSync } from "node:crypto";

const pool = Buffer.alloc(4096);
let used = pool.length;

function formatted(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** A UUIDv7 (RFC 9562): begins with the time in milliseconds, so that indexes grow at their right edge. */
export function newUuid(nowMs: number = Date.now()): string {
  if (used + 10 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + 10);
  used += 10;
  random[0] = (random[0]! & 0x0f) | 0x70;
  random[2] = (random[2]! & 0x3f) | 0x80;
  return formatted(nowMs.toString(16).padStart(12, "0") + random.toString("hex"));
}

/** A UUIDv5 (RFC 9562) of a name within a namespace: the same name always gives the same id. */
export function nameUuid(namespace: string, name: string): string {
  const named = Buffer.concat([Buffer.from(namespace.replaceAll("-", ""), "hex"), Buffer.from(name)]);
  const digest = hash("sha1", named, "buffer").subarray(0, 16);
  digest[6] = (digest[6]! & 0x0f) | 0x50;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  return formatted(digest.toString("hex"));
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID of any version in its lower-case form (RFC 9562): what comes from outside is looked at before SQL is. */
export const isUuid = (text: string): boolean => UUID.test(text);
