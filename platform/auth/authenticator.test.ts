import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthorityState } from "./authority.ts";
import { generateKeyPair } from "./keys.ts";
import { CLAIMS, change, forge, HEADER, NOW, NOW_MS, refuses, setUp } from "./testing/forge.ts";
import { createTokenSigner, machineScopesOf, scopesOf } from "./tokens.ts";

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
  // Of a signer whose clock is ahead: it is good here for ten seconds more.
  const ahead = `Bearer ${forge(keys.privateKeyPem, HEADER, { ...CLAIMS, iat: NOW + 10, exp: NOW + 610 })}`;
  authority.apply(change({ revokedSessionIds: ["s1"] }));
  refuses(() => authenticator.authenticate(token), "SESSION_REVOKED");
  clock.ms += 619_000;
  authority.apply(change({}));
  assert.equal(authority.isRevoked("s1"), true);
  refuses(() => authenticator.authenticate(ahead), "SESSION_REVOKED");
  clock.ms += 2_000;
  authority.apply(change({}));
  assert.equal(authority.isRevoked("s1"), false);
  refuses(() => authenticator.authenticate(ahead), "TOKEN_EXPIRED");
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
