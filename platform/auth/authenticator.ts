import type { KeyObject } from "node:crypto";
import { FerryError } from "@ferry/platform/errors";
import type { AuthorityState } from "./authority.ts";
import { parseTrustedServices } from "./keys.ts";
import type { Authenticator, Principal } from "./types.ts";
import { CLOCK_SKEW_SECONDS, type Verified, verifyToken } from "./verify.ts";

export interface AuthenticatorOptions {
  /** This service's name: what another service says must be meant for it. */
  audience: string;
  authority: AuthorityState;
  /** Public keys of the services that may call, by name; or the JWKS that holds them, JSON. */
  trustedServices: ReadonlyMap<string, KeyObject> | string;
  /** Verified tokens that are kept. Default 10,000. */
  maxKept?: number;
  /** Unix time in milliseconds. Default Date.now. */
  now?: () => number;
}

const BEARER = /^Bearer +(\S+)$/i;
/** Longer than any token that we make, and short enough to be looked at. */
const MAX_AUTHORIZATION_LENGTH = 16_384;

function readBearer(authorization: string | undefined): string {
  if (authorization === undefined || authorization === "")
    throw new FerryError("UNAUTHENTICATED", 'no credentials: send "authorization: Bearer …"');
  const token = authorization.length > MAX_AUTHORIZATION_LENGTH ? undefined : BEARER.exec(authorization)?.[1];
  if (token === undefined) throw new FerryError("UNAUTHENTICATED", 'authorization is not of the form "Bearer …"');
  return token;
}

/**
 * Verifies tokens, and keeps those that were good until they expire, so that a signature costs once.
 *
 * What is kept holds only as long as the authority still says so: a member who is suspended, a session
 * that was ended and a key that was retired are looked at with each call, and forgotten. What was refused
 * is not kept, so that nobody can fill the memory with it.
 *
 * @throws KeyError when the trusted services cannot be read.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { audience, authority, maxKept = 10_000, now = Date.now } = options;
  const trusted =
    typeof options.trustedServices === "string"
      ? parseTrustedServices(options.trustedServices)
      : options.trustedServices;
  // In order of use: the first is the one that was not used for the longest time.
  const kept = new Map<string, Verified>();

  const isGone = (principal: Principal): boolean =>
    principal.sessionId !== undefined &&
    (authority.isRevoked(principal.sessionId) || authority.isSuspended(principal.id));

  function findKept(token: string): Verified | undefined {
    const found = kept.get(token);
    if (found === undefined) return undefined;
    kept.delete(token);
    const { principal, kid, key } = found;
    const keys = principal.kind === "service" ? trusted : authority.keys();
    const isExpired = now() / 1000 >= principal.expiresAt + CLOCK_SKEW_SECONDS;
    if (isExpired || keys.get(kid) !== key || isGone(principal)) return undefined;
    kept.set(token, found);
    return found;
  }

  function keep(token: string, verified: Verified): void {
    if (isGone(verified.principal)) return;
    kept.set(token, verified);
    if (kept.size <= maxKept) return;
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      return;
    }
  }

  return {
    authenticate(authorization) {
      const token = readBearer(authorization);
      const found = findKept(token);
      if (found !== undefined) return found.principal;
      const verified = verifyToken(token, {
        audience,
        findMemberKey: (kid) => authority.keys().get(kid),
        findServiceKey: (kid) => trusted.get(kid),
        nowMs: now(),
      });
      const { sessionId } = verified.principal;
      if (sessionId !== undefined && authority.isRevoked(sessionId))
        throw new FerryError("SESSION_REVOKED", "the session was ended: log in again");
      keep(token, verified);
      return verified.principal;
    },
    isSuspended: (memberId) => authority.isSuspended(memberId),
  };
}
