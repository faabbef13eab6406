import jwt from "jsonwebtoken";
import { readPrivateKey } from "./keys.ts";
import type { ServiceIdentity } from "./types.ts";

/** The form of a member's access token. */
export const ACCESS_TOKEN = { type: "at+jwt", issuer: "ferry-member", audience: "ferry", lifeSeconds: 600 } as const;

/** The form of what services say to each other; its issuer is the caller, its audience the called service. */
export const SERVICE_ASSERTION = { type: "service+jwt", lifeSeconds: 60 } as const;

/** An assertion is made anew when less than this is left of it, so that none expires under way. */
const RENEW_BEFORE_SECONDS = 15;

export type Role = "member" | "operator";

/** Who has these could give themselves any other scope of the member's: they are for people who logged in. */
const PERSONAL_SCOPES = ["sessions:read", "sessions:write", "clients:read", "clients:write"];
const MEMBER_SCOPES = [
  ...["members:read", "accounts:read", "accounts:write"],
  ...["transfers:read", "transfers:write", "payments:read", "payments:write"],
  ...["webhooks:read", "webhooks:write"],
  ...PERSONAL_SCOPES,
];
const OPERATOR_SCOPES = [...MEMBER_SCOPES, "members:admin", "operations:read", "operations:write", "audit:read"];

/** What a role may do. */
export function scopesOf(role: Role): readonly string[] {
  return role === "operator" ? OPERATOR_SCOPES : MEMBER_SCOPES;
}

/** What a machine can be allowed to do for somebody of a role. */
export function machineScopesOf(role: Role): readonly string[] {
  return scopesOf(role).filter((scope) => !PERSONAL_SCOPES.includes(scope));
}

export interface AccessTokenClaims {
  memberId: string;
  sessionId: string;
  role: Role;
  /** The API client that acts for the member, and what it may do; absent where the member logged in. */
  client?: { id: string; scopes: readonly string[] };
}

export interface TokenSigner {
  readonly kid: string;
  /** Signs an access token that lives `ACCESS_TOKEN.lifeSeconds`. */
  sign(claims: AccessTokenClaims, nowMs?: number): string;
}

/** Signs members' access tokens under one key. @throws KeyError when the key is not one for ES256. */
export function createTokenSigner({ kid, privateKeyPem }: { kid: string; privateKeyPem: string }): TokenSigner {
  const key = readPrivateKey(privateKeyPem, `signing key ${kid}`);
  return {
    kid,
    sign({ memberId, sessionId, role, client }, nowMs = Date.now()) {
      const iat = Math.floor(nowMs / 1000);
      const { issuer: iss, audience: aud, lifeSeconds, type: typ } = ACCESS_TOKEN;
      const scope = (client?.scopes ?? scopesOf(role)).join(" ");
      const machine = client === undefined ? {} : { client_id: client.id };
      const claims = { iss, aud, sub: memberId, sid: sessionId, role, ...machine, scope, iat, exp: iat + lifeSeconds };
      return jwt.sign(claims, key, { algorithm: "ES256", keyid: kid, header: { alg: "ES256", typ } });
    },
  };
}

/**
 * A service's identity: signs an assertion for each service that it calls, and keeps it for most of its minute.
 *
 * @throws KeyError when the key is not one for ES256.
 */
export function createServiceIdentity(options: {
  name: string;
  privateKeyPem: string;
  /** Unix time in milliseconds. Default Date.now. */
  now?: () => number;
}): ServiceIdentity {
  const { name, privateKeyPem, now = Date.now } = options;
  const key = readPrivateKey(privateKeyPem, `private key of ${name}`);
  // By called service: as many as the platform has services.
  const made = new Map<string, { authorization: string; renewAt: number }>();
  return {
    name,
    authorizationFor(audience) {
      const iat = Math.floor(now() / 1000);
      const kept = made.get(audience);
      if (kept !== undefined && iat < kept.renewAt) return kept.authorization;
      const exp = iat + SERVICE_ASSERTION.lifeSeconds;
      const header = { alg: "ES256", typ: SERVICE_ASSERTION.type } as const;
      const assertion = jwt.sign({ iss: name, aud: audience, sub: name, iat, exp }, key, {
        algorithm: "ES256",
        keyid: name,
        header,
      });
      const authorization = `Bearer ${assertion}`;
      made.set(audience, { authorization, renewAt: exp - RENEW_BEFORE_SECONDS });
      return authorization;
    },
  };
}
