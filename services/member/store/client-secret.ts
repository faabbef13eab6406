import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** Tells what it is when it turns up in a log or a repository. */
const PREFIX = "ferry_cs_";
const SECRET_BYTES = 32;

const hashOf = (secret: string) => createHash("sha256").update(secret).digest();
/** Nobody's: who comes for a client that does not exist costs the same comparison. */
const NOBODY = randomBytes(32);

/** Makes the secret of an API client, of which only the hash is stored. */
export function makeClientSecret(): { secret: string; hash: Buffer } {
  const secret = PREFIX + randomBytes(SECRET_BYTES).toString("base64url");
  return { secret, hash: hashOf(secret) };
}

/** @param stored Undefined when there is no such client: always false. */
export function isClientSecret(secret: string, stored: Buffer | undefined): boolean {
  return timingSafeEqual(hashOf(secret), stored ?? NOBODY) && stored !== undefined;
}
