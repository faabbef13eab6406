import type { KeyObject } from "node:crypto";
import jwt from "jsonwebtoken";

const MAX_KEPT = 10_000;

export interface Claims {
  sub: string;
  exp: number;
  sid?: string;
  role?: string;
  scopes: ReadonlySet<string>;
}

/**
 * What a careful hand writes to verify ES256 tokens: the library once for each token, a bounded map after that,
 * whose entries are looked at for their time with each use. The floors stand on it.
 *
 * @returns undefined when the header is missing or the token is not good.
 */
export function keepTokens(key: KeyObject, expected: { issuer: string; audience: string; type: string }) {
  const kept = new Map<string, Claims>();

  function verify(token: string): Claims | undefined {
    try {
      const { payload, header } = jwt.verify(token, key, {
        algorithms: ["ES256"],
        issuer: expected.issuer,
        audience: expected.audience,
        complete: true,
      });
      if (typeof payload === "string" || payload.sub === undefined || payload.exp === undefined) return undefined;
      if (header.typ !== expected.type || header.crit !== undefined) return undefined;
      const { sub, exp, sid, role, scope } = payload;
      return { sub, exp, sid, role, scopes: new Set(String(scope ?? "").split(" ")) };
    } catch {
      return undefined;
    }
  }

  return (authorization: string | undefined): Claims | undefined => {
    if (authorization === undefined || !authorization.startsWith("Bearer ")) return undefined;
    const known = kept.get(authorization);
    if (known !== undefined) {
      if (known.exp > Date.now() / 1_000) return known;
      kept.delete(authorization);
      return undefined;
    }
    const claims = verify(authorization.slice(7));
    if (claims === undefined) return undefined;
    if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value!);
    kept.set(authorization, claims);
    return claims;
  };
}

/** The form of a UUID as the contracts' rule has it. */
export const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;
