import assert from "node:assert/strict";
import { createPrivateKey, sign as signBytes } from "node:crypto";
import { FerryError, type Reason } from "@ferry/platform/errors";
import { createAuthenticator } from "../authenticator.ts";
import { type AuthorityChange, createAuthorityState } from "../authority.ts";
import { generateKeyPair, parseTrustedServices, trustedServicesJson } from "../keys.ts";
import { createServiceIdentity } from "../tokens.ts";

export const NOW_MS = 1_800_000_000_000;
export const NOW = NOW_MS / 1000;
export const CLAIMS = {
  ...{ iss: "ferry-member", aud: "ferry", sub: "m1", sid: "s1", role: "member" },
  ...{ scope: "accounts:read", iat: NOW, exp: NOW + 600 },
};
export const HEADER = { alg: "ES256", typ: "at+jwt", kid: "k1" };

export function change(partial: Partial<AuthorityChange>): AuthorityChange {
  const nothing = { keys: [], suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  return { snapshot: false, ...nothing, ...partial };
}

/** One member key k1 and one service key of transfer, on a clock that the test moves. */
export function setUp({ maxKept = 10_000 } = {}) {
  const keys = generateKeyPair();
  const transfer = generateKeyPair();
  const clock = { ms: NOW_MS };
  const now = () => clock.ms;
  const authority = createAuthorityState(now);
  authority.apply(change({ snapshot: true, keys: [{ kid: "k1", publicKeyPem: keys.publicKeyPem }] }));
  const trustedServices = parseTrustedServices(trustedServicesJson(new Map([["transfer", transfer.privateKeyPem]])));
  const authenticator = createAuthenticator({ audience: "ledger", authority, trustedServices, maxKept, now });
  const identity = createServiceIdentity({ name: "transfer", privateKeyPem: transfer.privateKeyPem, now });
  return { keys, transfer, clock, now, authority, authenticator, identity };
}

export const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signs any header and claims, good or not. */
export function forge(privateKeyPem: string, header: object, claims: object): string {
  const text = `${encode(header)}.${encode(claims)}`;
  const key = { key: createPrivateKey(privateKeyPem), dsaEncoding: "ieee-p1363" as const };
  return `${text}.${signBytes("sha256", Buffer.from(text), key).toString("base64url")}`;
}

export function refuses(run: () => unknown, reason: Reason, message?: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof FerryError, String(error));
    assert.equal(error.reason, reason, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}
