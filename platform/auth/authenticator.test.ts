import assert from "node:assert/strict";
import { createHmac, createPrivateKey, createPublicKey, sign as signBytes } from "node:crypto";
import { test } from "node:test";
import { FerryError, type Reason } from "@ferry/platform/errors";
import { createAuthenticator } from "./authenticator.ts";
import { type AuthorityChange, createAuthorityState } from "./authority.ts";
import { generateKeyPair, parseTrustedServices, trustedServicesJson } from "./keys.ts";
import { createServiceIdentity, createTokenSigner, machineScopesOf, scopesOf } from "./tokens.ts";
import { CLOCK_SKEW_SECONDS } from "./verify.ts";

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;
const CLAIMS = {
  ...{ iss: "ferry-member", aud: "ferry", sub: "m1", sid: "s1", role: "member" },
  ...{ scope: "accounts:read", iat: NOW, exp: NOW + 600 },
};
const HEADER = { alg: "ES256", typ: "at+jwt", kid: "k1" };

function change(partial: Partial<AuthorityChange>): AuthorityChange {
  const nothing = { keys: [], suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  return { snapshot: false, ...nothing, ...partial };
}

/** One member key k1 and one service key of transfer, on a clock that the test moves. */
function setUp({ maxKept = 10_000 } = {}) {
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

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signs any header and claims, good or not. */
function forge(privateKeyPem: string, header: object, claims: object): string {
  const text = `${encode(header)}.${encode(claims)}`;
  const key = { key: createPrivateKey(privateKeyPem), dsaEncoding: "ieee-p1363" as const };
  return `${text}.${signBytes("sha256", Buffer.from(text), key).toString("base64url")}`;
}

function refuses(run: () => unknown, reason: Reason, message?: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof FerryError, String(error));
    assert.equal(error.reason, reason, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

test("a signed access token tells its member, session, role and scopes", () => {
  const { keys, authenticator } = setUp();
  const signer = createTokenSigner({ kid: "k1", privateKeyPem: keys.privateKeyPem });
  const token = signer.sign({ memberId: "m1", sessionId: "s1", role: "operator" }, NOW_MS);
  const principal = authenticator.authenticate(`Bearer ${token}`);
  assert.equal(principal.kind, "operator");
  assert.equal(principal.id, "m1");
  assert.equal(principal.sessionId, "s1");
  assert.equal(principal.expiresAt, NOW + 600);
  assert.ok(principal.scopes.has("transfers:write") && principal.scopes.has("members:admin"));
  const member = authenticator.authenticate(
    `bearer ${signer.sign({ memberId: "m2", sessionId: "s2", role: "member" }, NOW_MS)}`,
  );
  assert.equal(member.kind, "member");
  assert.equal(member.scopes.has("members:admin"), false);
});

test("what is no bearer token is no credentials", () => {
  const { authenticator } = setUp();
  for (const bad of [undefined, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", `Bearer ${"a".repeat(20_000)}`])
    refuses(() => authenticator.authenticate(bad), "UNAUTHENTICATED");
  for (const bad of ["a", "a.b.c", "..", `${"a".repeat(10_000)}.b.c`])
    refuses(() => authenticator.authenticate(`Bearer ${bad}`), "TOKEN_INVALID");
});

test("headers that choose their own algorithm or key are refused", () => {
  const { keys, authenticator } = setUp();
  const own = generateKeyPair();
  const jwk = createPublicKey(own.publicKeyPem).export({ format: "jwk" });
  const bad: [object, RegExp][] = [
    ...["none", "None", "NONE", "nOnE", "", "HS256", "ES384", "RS256", "es256"].map(
      (alg) => [{ ...HEADER, alg }, /alg is not ES256/] as [object, RegExp],
    ),
    [{ typ: "at+jwt", kid: "k1" }, /alg/],
    [{ ...HEADER, jwk }, /jwk/],
    [{ ...HEADER, jku: "http://127.0.0.1:1/keys" }, /jku/],
    [{ ...HEADER, x5u: "http://127.0.0.1:1/cert" }, /x5u/],
    [{ ...HEADER, x5c: ["MII"] }, /x5c/],
    [{ ...HEADER, crit: ["exp"] }, /crit/],
    [{ ...HEADER, crit: [] }, /crit/],
    [{ ...HEADER, kid: "../../etc/passwd" }, /not known/],
    [{ ...HEADER, kid: "k1' OR '1'='1" }, /not known/],
    [{ ...HEADER, kid: "__proto__" }, /not known/],
    [{ ...HEADER, kid: "k".repeat(129) }, /kid/],
    [{ ...HEADER, kid: "k".repeat(10_240) }, /longer/],
    [{ ...HEADER, kid: 1 }, /kid/],
    [{ ...HEADER, kid: undefined }, /kid/],
    [{ ...HEADER, typ: undefined }, /typ/],
    [{ ...HEADER, typ: "JWT" }, /typ/],
    [{ ...HEADER, typ: "rt+jwt" }, /typ/],
    [{ ...HEADER, typ: "AT+JWT" }, /typ/],
    [{ ...HEADER, typ: ["at+jwt"] }, /typ/],
    [{ ...HEADER, kid: "/dev/null" }, /not known/],
    [{ ...HEADER, kid: "k1\u0000" }, /not known/],
    [{ ...HEADER, kid: "http://127.0.0.1:1/k1.pem" }, /not known/],
    [{ ...HEADER, kid: ["k1"] }, /kid/],
    [{ ...HEADER, zip: "DEF" }, /zip/],
    [{ ...HEADER, b64: false }, /b64/],
    [{ ...HEADER, alg: ["ES256"] }, /alg/],
    [{ ...HEADER, alg: null }, /alg/],
    [[], /object/],
  ];
  for (const [header, message] of bad) {
    refuses(
      () => authenticator.authenticate(`Bearer ${forge(keys.privateKeyPem, header, CLAIMS)}`),
      "TOKEN_INVALID",
      message,
    );
    // The same, signed by the forger's own key.
    refuses(() => authenticator.authenticate(`Bearer ${forge(own.privateKeyPem, header, CLAIMS)}`), "TOKEN_INVALID");
  }
  assert.equal(authenticator.authenticate(`Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`).id, "m1");
});

/** A public key in every form in which somebody could take it for a secret. */
function publicKeyTexts(pem: string): (string | Buffer)[] {
  const key = createPublicKey(pem);
  const der = key.export({ format: "der", type: "spki" });
  const jwk = key.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), ...[jwk.x, jwk.y].map((part) => Buffer.from(part!, "base64url"))]);
  return [pem, pem.trim(), pem.replaceAll("\n", "\r\n"), der, der.toString("base64"), JSON.stringify(jwk), point, ""];
}

test("signatures that are empty, tampered with, of another key, or made with our public key as secret are refused", () => {
  const { keys, authenticator } = setUp();
  const good = forge(keys.privateKeyPem, HEADER, CLAIMS);
  const [header, claims, signature] = good.split(".") as [string, string, string];
  const last = signature.at(-1)!;
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const otherSpelling = alphabet[alphabet.indexOf(last) ^ 1]!;
  const hs = `${encode({ ...HEADER, alg: "HS256" })}.${claims}`;
  const bad = [
    `${header}.${claims}.`,
    `${header}.${claims}`,
    `${header}.${claims}.${signature.slice(0, -1)}${otherSpelling}`,
    `${header}.${claims}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
    `${header}.${claims}.${"A".repeat(86)}`,
    `${header}.${encode({ ...CLAIMS, sub: "m2" })}.${signature}`,
    `${header}.${claims}.${signature}=`,
    // The same signature as other libraries write it, in ASN.1; and the one of zeros.
    `${header}.${claims}.${signBytes("sha256", Buffer.from(`${header}.${claims}`), keys.privateKeyPem).toString("base64url")}`,
    `${header}.${claims}.${Buffer.alloc(64).toString("base64url")}`,
    `${header}.${claims}.${signature}.${signature}`,
    `${header}.${claims}.${signature}.${claims}.${signature}`,
    `${header}..${signature}`,
    `.${claims}.${signature}`,
    `${encode({ ...HEADER, typ: "service+jwt" })}.${claims}.${signature}`,
    forge(generateKeyPair().privateKeyPem, HEADER, CLAIMS),
    ...publicKeyTexts(keys.publicKeyPem).map(
      (secret) => `${hs}.${createHmac("sha256", secret).update(hs).digest("base64url")}`,
    ),
  ];
  for (const token of bad) refuses(() => authenticator.authenticate(`Bearer ${token}`), "TOKEN_INVALID");
  assert.equal(authenticator.authenticate(`Bearer ${good}`).id, "m1");
});

test("claims must all be there, of their type, and meant for us", () => {
  const { keys, authenticator } = setUp();
  const bad: [object, RegExp][] = [
    [{ exp: undefined }, /exp/],
    [{ exp: String(NOW + 600) }, /exp/],
    [{ exp: null }, /exp/],
    [{ exp: true }, /exp/],
    [{ exp: [NOW + 600] }, /exp/],
    [{ exp: {} }, /exp/],
    [{ exp: "never" }, /exp/],
    [{ exp: NOW + 3_600 }, /exp/],
    [{ exp: 1e308 }, /exp/],
    [{ nbf: NOW + 60 }, /not active/],
    [{ nbf: NOW + 31 }, /not active/],
    [{ nbf: "soon" }, /nbf/],
    [{ iat: NOW + 60 }, /iat/],
    [{ iss: undefined }, /issuer/],
    [{ iss: "someone" }, /issuer/],
    [{ iss: "transfer" }, /issuer/],
    [{ iss: ["ferry-member"] }, /issuer/],
    [{ iss: "" }, /issuer/],
    [{ aud: undefined }, /aud/],
    [{ aud: "other" }, /aud/],
    [{ aud: ["ferry", "other"] }, /aud/],
    [{ aud: ["ferry"] }, /aud/],
    [{ aud: "ledger" }, /aud/],
    [{ aud: null }, /aud/],
    [{ sub: undefined }, /sub/],
    [{ sub: "" }, /sub/],
    [{ sub: 7 }, /sub/],
    [{ sid: undefined }, /sid/],
    [{ role: "root" }, /role/],
    [{ scope: undefined }, /scope/],
    [{ scope: ["accounts:read"] }, /scope/],
    [{ role: ["operator"] }, /role/],
    [{ sid: { $ne: "" } }, /sid/],
    [{ sub: "m".repeat(129) }, /sub/],
    [{ client_id: "" }, /client_id/],
    [{ client_id: 7 }, /client_id/],
    [{ client_id: null }, /client_id/],
  ];
  for (const [claims, message] of bad) {
    const token = forge(keys.privateKeyPem, HEADER, { ...CLAIMS, ...claims });
    refuses(() => authenticator.authenticate(`Bearer ${token}`), "TOKEN_INVALID", message);
  }
  for (const claims of ["text", 7, null, [CLAIMS], [], true])
    refuses(
      () => authenticator.authenticate(`Bearer ${forge(keys.privateKeyPem, HEADER, claims as object)}`),
      "TOKEN_INVALID",
    );
  const expired = forge(keys.privateKeyPem, HEADER, { ...CLAIMS, iat: NOW - 631, exp: NOW - 31 });
  refuses(() => authenticator.authenticate(`Bearer ${expired}`), "TOKEN_EXPIRED");
});

test("clocks may be ten seconds apart, and no more than thirty in any case", () => {
  assert.ok(CLOCK_SKEW_SECONDS <= 30);
  const { keys, authenticator } = setUp();
  const tokenOf = (claims: object) => `Bearer ${forge(keys.privateKeyPem, HEADER, { ...CLAIMS, ...claims })}`;
  for (const good of [{ nbf: NOW + 10 }, { iat: NOW + 10 }, { exp: NOW - 9 }, { exp: NOW + 610 }])
    assert.equal(authenticator.authenticate(tokenOf(good)).id, "m1", JSON.stringify(good));
  for (const bad of [{ nbf: NOW + 11 }, { iat: NOW + 11 }, { exp: NOW + 611 }])
    refuses(() => authenticator.authenticate(tokenOf(bad)), "TOKEN_INVALID");
  refuses(() => authenticator.authenticate(tokenOf({ exp: NOW - 10 })), "TOKEN_EXPIRED");
});

test("a thousand tokens of unknown keys ask nobody for keys and push no good token out", () => {
  const { keys, authority, authenticator } = setUp({ maxKept: 10 });
  const good = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  const kept = authenticator.authenticate(good);
  const before = authority.snapshot();
  const forger = generateKeyPair();
  for (let index = 0; index < 1_000; index++) {
    const token = forge(forger.privateKeyPem, { ...HEADER, kid: `unknown-${index}` }, CLAIMS);
    refuses(() => authenticator.authenticate(`Bearer ${token}`), "TOKEN_INVALID", /not known/);
  }
  assert.deepEqual(authority.snapshot(), before);
  assert.equal(authenticator.authenticate(good), kept);
});

test("the token of an API client tells the client and its scopes, and ends with what stands for its session", () => {
  const { keys, authority, authenticator } = setUp();
  const signer = createTokenSigner({ kid: "k1", privateKeyPem: keys.privateKeyPem });
  const client = { id: "c1", scopes: ["accounts:read"] };
  const token = `Bearer ${signer.sign({ memberId: "m1", sessionId: "s9", role: "operator", client }, NOW_MS)}`;
  const principal = authenticator.authenticate(token);
  assert.deepEqual(
    [principal.kind, principal.id, principal.clientId, [...principal.scopes]],
    ["operator", "m1", "c1", ["accounts:read"]],
  );
  authority.apply(change({ revokedSessionIds: ["s9"] }));
  refuses(() => authenticator.authenticate(token), "SESSION_REVOKED");
});

test("machines get no scope by which they could get others", () => {
  for (const role of ["member", "operator"] as const) {
    const given = machineScopesOf(role);
    assert.ok(given.length > 0 && given.every((scope) => scopesOf(role).includes(scope)));
    assert.deepEqual(
      given.filter((scope) => /^(?:sessions|clients):/.test(scope)),
      [],
    );
  }
});

test("a token that is kept expires all the same", () => {
  const { keys, clock, authenticator } = setUp();
  const token = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  const first = authenticator.authenticate(token);
  assert.equal(authenticator.authenticate(token), first);
  clock.ms += 631_000;
  refuses(() => authenticator.authenticate(token), "TOKEN_EXPIRED");
});

test("a session that was ended is refused, with a kept token too, until its last token has expired", () => {
  const { keys, clock, authority, authenticator } = setUp();
  const token = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  authenticator.authenticate(token);
  authority.apply(change({ revokedSessionIds: ["s1"] }));
  refuses(() => authenticator.authenticate(token), "SESSION_REVOKED");
  clock.ms += 609_000;
  authority.apply(change({}));
  assert.equal(authority.isRevoked("s1"), true);
  clock.ms += 2_000;
  authority.apply(change({}));
  assert.equal(authority.isRevoked("s1"), false);
});

test("a rotation overlaps: both keys are good, then the retired one is not, for kept tokens too", () => {
  const { keys, authority, authenticator } = setUp();
  const next = generateKeyPair();
  const old = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  const fresh = `Bearer ${forge(next.privateKeyPem, { ...HEADER, kid: "k2" }, CLAIMS)}`;
  const kept = authenticator.authenticate(old);
  refuses(() => authenticator.authenticate(fresh), "TOKEN_INVALID", /not known/);
  const both = [
    { kid: "k1", publicKeyPem: keys.publicKeyPem },
    { kid: "k2", publicKeyPem: next.publicKeyPem },
  ];
  authority.apply(change({ keys: both }));
  assert.equal(authenticator.authenticate(old), kept, "a key that stays does not cost a new verification");
  authenticator.authenticate(fresh);
  authority.apply(change({ keys: both.slice(1) }));
  refuses(() => authenticator.authenticate(old), "TOKEN_INVALID", /retired/);
  authenticator.authenticate(fresh);
});

test("another key under the same kid does not vouch for what the former one signed", () => {
  const { keys, authority, authenticator } = setUp();
  const token = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  authenticator.authenticate(token);
  authority.apply(change({ keys: [{ kid: "k1", publicKeyPem: generateKeyPair().publicKeyPem }] }));
  refuses(() => authenticator.authenticate(token), "TOKEN_INVALID");
});

test("a suspended member is known at once and not kept; the token itself still tells who it is", () => {
  const { keys, authority, authenticator } = setUp();
  const token = `Bearer ${forge(keys.privateKeyPem, HEADER, CLAIMS)}`;
  const kept = authenticator.authenticate(token);
  authority.apply(change({ suspendedMemberIds: ["m1"] }));
  assert.equal(authenticator.isSuspended("m1"), true);
  assert.notEqual(authenticator.authenticate(token), kept);
  authority.apply(change({ reinstatedMemberIds: ["m1"] }));
  assert.equal(authenticator.isSuspended("m1"), false);
  const again = authenticator.authenticate(token);
  assert.equal(authenticator.authenticate(token), again);
});

test("no more tokens are kept than allowed, and the least used goes first", () => {
  const { keys, authenticator } = setUp({ maxKept: 2 });
  const [a, b, c] = ["s1", "s2", "s3"].map((sid) => `Bearer ${forge(keys.privateKeyPem, HEADER, { ...CLAIMS, sid })}`);
  const first = authenticator.authenticate(a);
  const second = authenticator.authenticate(b);
  assert.equal(authenticator.authenticate(a), first);
  authenticator.authenticate(c);
  assert.equal(authenticator.authenticate(a), first);
  assert.notEqual(authenticator.authenticate(b), second);
});

test("a service is believed only about itself, for us, for a minute", () => {
  const { keys, transfer, clock, authenticator, identity } = setUp();
  const principal = authenticator.authenticate(identity.authorizationFor("ledger"));
  assert.deepEqual([principal.kind, principal.id, principal.scopes.size], ["service", "transfer", 0]);
  refuses(() => authenticator.authenticate(identity.authorizationFor("banking")), "TOKEN_INVALID", /aud/);

  const header = { alg: "ES256", typ: "service+jwt", kid: "transfer" };
  const claims = { iss: "transfer", aud: "ledger", sub: "transfer", iat: NOW, exp: NOW + 60 };
  const bad = [
    forge(transfer.privateKeyPem, header, { ...claims, iss: "payment" }),
    forge(transfer.privateKeyPem, { ...header, kid: "payment" }, { ...claims, iss: "payment" }),
    forge(transfer.privateKeyPem, header, { ...claims, exp: NOW + 600 }),
    forge(keys.privateKeyPem, header, claims),
    // A member's key signs no services, a service's key no members.
    forge(keys.privateKeyPem, { ...header, kid: "k1" }, { ...claims, iss: "k1" }),
    forge(transfer.privateKeyPem, { ...HEADER, kid: "transfer" }, CLAIMS),
  ];
  for (const token of bad) refuses(() => authenticator.authenticate(`Bearer ${token}`), "TOKEN_INVALID");
  assert.equal(authenticator.authenticate(`Bearer ${forge(transfer.privateKeyPem, header, claims)}`).id, "transfer");

  const early = identity.authorizationFor("ledger");
  clock.ms += 44_000;
  assert.equal(identity.authorizationFor("ledger"), early);
  clock.ms += 1_000;
  assert.notEqual(identity.authorizationFor("ledger"), early);
  clock.ms += 30_000;
  refuses(() => authenticator.authenticate(early), "TOKEN_EXPIRED");
});

test("a snapshot replaces what was known, and a state without one is not ready", () => {
  const { keys, authority } = setUp();
  assert.notEqual(createAuthorityState().unready(), undefined);
  assert.equal(authority.unready(), undefined);
  authority.apply(change({ suspendedMemberIds: ["m1"], revokedSessionIds: ["s1"] }));
  const snapshot = { snapshot: true, keys: [{ kid: "k1", publicKeyPem: keys.publicKeyPem }] };
  authority.apply(change({ ...snapshot, suspendedMemberIds: ["m2"] }));
  assert.deepEqual(
    [authority.isSuspended("m1"), authority.isSuspended("m2"), authority.isRevoked("s1")],
    [false, true, false],
  );
});
