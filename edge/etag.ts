import { hash } from "node:crypto";

/**
 * The validator of an answer to a read: of its data, since "meta" differs in each answer. Weak for this reason
 * (RFC 9110, 8.8.1): what is the same is what it tells, not its bytes. 0.8 us for a transfer.
 */
export function etagOf(data: string | Uint8Array): string {
  return `W/"${hash("sha256", data, "base64url").slice(0, 22)}"`;
}

/** Whether the client has this already, by the header If-None-Match: tags are compared without their weakness. */
export function isKnown(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  const wanted = etag.slice(2);
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === wanted);
}
