import { createHash, randomBytes } from "node:crypto";

/** Tells what it is when it turns up in a log or a repository. */
const PREFIX = "ferry_rt_";
const SESSION_BYTES = 16;
const SECRET_BYTES = 32;
const TOKEN = new RegExp(`^${PREFIX}[\\w-]{${((SESSION_BYTES + SECRET_BYTES) * 4) / 3}}$`);

/** Hash under which a refresh token is stored; undefined when the text cannot be one. */
export function hashOfRefreshToken(token: string): Buffer | undefined {
  return TOKEN.test(token) ? createHash("sha256").update(token).digest() : undefined;
}

/** Makes a refresh token: its session's id, and 256 random bits that say nothing. */
export function makeRefreshToken(sessionId: string): { token: string; hash: Buffer } {
  const session = Buffer.from(sessionId.replaceAll("-", ""), "hex");
  const token = PREFIX + Buffer.concat([session, randomBytes(SECRET_BYTES)]).toString("base64url");
  return { token, hash: createHash("sha256").update(token).digest() };
}
