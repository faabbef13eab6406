import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
const SECRET_BYTES = 32;

export const newSecret = (): Buffer => randomBytes(SECRET_BYTES);

/** A secret as its member keeps it (Standard Webhooks). */
export const secretText = (secret: Buffer): string => PREFIX + secret.toString("base64");

export interface Signed {
  id: string;
  /** Unix time in seconds. */
  timestamp: number;
  body: string;
}

/**
 * The header webhook-signature of Standard Webhooks: HMAC-SHA256 of "id.timestamp.body" in base64, one for
 * each secret, separated by spaces; a receiver accepts any that it knows.
 */
export function signatureHeader({ id, timestamp, body }: Signed, secrets: readonly Buffer[]): string {
  const content = `${id}.${timestamp}.${body}`;
  return secrets.map((secret) => `v1,${createHmac("sha256", secret).update(content).digest("base64")}`).join(" ");
}
