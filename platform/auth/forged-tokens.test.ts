import assert from "node:assert/strict";
import { createHmac, createPublicKey, sign as signBytes } from "node:crypto";
import { test } from "node:test";
import { generateKeyPair } from "./keys.ts";
import { CLAIMS, encode, forge, HEADER, NOW, refuses, setUp } from "./testing/forge.ts";
import { CLOCK_SKEW_SECONDS } from "./verify.ts";

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
