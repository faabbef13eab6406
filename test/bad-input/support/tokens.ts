import { createHmac, createPublicKey } from "node:crypto";
import { createServiceIdentity, generateKeyPair, scopesOf } from "@ferry/platform/auth";
import { MEMBER_ID } from "../../../edge/testing/harness.ts";
import { encode, forge } from "../../../platform/auth/testing/forge.ts";
import { KID, type TestEdge } from "./edge.ts";

/** A header "authorization" that lets nobody in, and why; undefined: no header. */
export interface BadToken {
  what: string;
  authorization: string | undefined;
  reason: string;
}

export const REVOKED_SESSION = "0190b2c4-0000-7000-8000-0000000000dd";
const SESSION = "0190b2c4-0000-7000-8000-0000000000ee";

/** Claims that are good now, with an operator's scopes: what is refused is refused for another reason than these. */
export function goodClaims(seconds = Math.floor(Date.now() / 1_000)) {
  return {
    ...{ iss: "ferry-member", aud: "ferry", sub: MEMBER_ID, sid: SESSION, role: "operator" },
    ...{ scope: scopesOf("operator").join(" "), iat: seconds, exp: seconds + 600 },
  };
}

/** Every way in which a token can be bad. The session of one of them is ended, and the key of another retired. */
export function badTokens({ keys, tell, authority }: TestEdge): BadToken[] {
  const { privateKeyPem, publicKeyPem } = keys;
  const now = Math.floor(Date.now() / 1_000);
  const header = { alg: "ES256", typ: "at+jwt", kid: KID };
  const claims = goodClaims(now);
  const good = forge(privateKeyPem, header, claims);
  const [head, body, signature] = good.split(".") as [string, string, string];
  const own = generateKeyPair();
  const jwk = createPublicKey(own.publicKeyPem).export({ format: "jwk" });
  const hs = `${encode({ ...header, alg: "HS256" })}.${body}`;
  const hmac = (secret: string | Buffer) => `${hs}.${createHmac("sha256", secret).update(hs).digest("base64url")}`;
  const der = createPublicKey(publicKeyPem).export({ format: "der", type: "spki" });

  const retired = generateKeyPair();
  const before = authority.snapshot().keys;
  tell({ keys: [...before, { kid: "retired", publicKeyPem: retired.publicKeyPem }] });
  tell({ keys: before, revokedSessionIds: [REVOKED_SESSION] });

  const none: [string, string | undefined][] = [
    ["no token", undefined],
    ["an empty header", ""],
    ["a scheme alone", "Bearer"],
    ["a scheme and a space", "Bearer "],
    ["another scheme", "Basic YTpi"],
    ["two tokens", `Bearer ${good} ${good}`],
  ];
  const headers: [string, object][] = [
    ...["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384", "es256"].map((alg): [string, object] => [
      `alg ${JSON.stringify(alg)}`,
      { ...header, alg },
    ]),
    ["no alg", { ...header, alg: undefined }],
    ["an embedded jwk", { ...header, jwk }],
    ["a jku", { ...header, jku: "http://127.0.0.1:1/keys" }],
    ["an x5u", { ...header, x5u: "http://127.0.0.1:1/cert" }],
    ["an x5c", { ...header, x5c: ["MII"] }],
    ["a crit", { ...header, crit: ["exp"] }],
    ...["unknown", "../../etc/passwd", "k' OR '1'='1", "__proto__", "tests\u0000", "k".repeat(10_240)].map(
      (kid): [string, object] => [`the kid ${kid.slice(0, 20)}`, { ...header, kid }],
    ),
    ["no kid", { ...header, kid: undefined }],
    ...["JWT", "rt+jwt", "AT+JWT", "service+jwt"].map((typ): [string, object] => [`typ ${typ}`, { ...header, typ }]),
    ["no typ", { ...header, typ: undefined }],
  ];
  const claimed: [string, object][] = [
    ["no exp", { exp: undefined }],
    ["exp as a text", { exp: String(now + 600) }],
    ["exp in a year", { exp: now + 31_536_000 }],
    ["nbf in the future", { nbf: now + 60 }],
    ["iat in the future", { iat: now + 60 }],
    ["another iss", { iss: "somebody" }],
    ["no iss", { iss: undefined }],
    ["another aud", { aud: "ledger" }],
    ["no aud", { aud: undefined }],
    ["our aud among others", { aud: ["ferry", "other"] }],
    ["no sub", { sub: undefined }],
    ["no sid", { sid: undefined }],
    ["an unknown role", { role: "root" }],
    ["scopes as a list", { scope: ["accounts:read"] }],
  ];
  const signed: [string, string][] = [
    ["no JWT", "nonsense"],
    ["three letters", "a.b.c"],
    ["a refresh token", `ferry_rt_${"A".repeat(43)}`],
    ["an empty signature", `${head}.${body}.`],
    ["no signature", `${head}.${body}`],
    ["a tampered signature", `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`],
    ["a signature of zeros", `${head}.${body}.${"A".repeat(86)}`],
    ["tampered claims", `${head}.${encode({ ...claims, sub: "somebody" })}.${signature}`],
    ["another's signature", forge(own.privateKeyPem, header, claims)],
    ["HS256 under our public key", hmac(publicKeyPem)],
    ["HS256 under its bytes", hmac(der)],
    ["HS256 under nothing", hmac("")],
    ["a retired key", forge(retired.privateKeyPem, { ...header, kid: "retired" }, claims)],
    ["an embedded jwk that signed", forge(own.privateKeyPem, { ...header, jwk }, claims)],
  ];
  const bearer = (what: string, token: string, reason: string) => ({ what, authorization: `Bearer ${token}`, reason });
  const service = createServiceIdentity({ name: "transfer", privateKeyPem: own.privateKeyPem });
  return [
    ...none.map(([what, authorization]) => ({ what, authorization, reason: "UNAUTHENTICATED" })),
    ...signed.map(([what, token]) => bearer(what, token, "TOKEN_INVALID")),
    ...headers.map(([what, odd]) => bearer(what, forge(privateKeyPem, odd, claims), "TOKEN_INVALID")),
    ...claimed.map(([what, odd]) => bearer(what, forge(privateKeyPem, header, { ...claims, ...odd }), "TOKEN_INVALID")),
    bearer("expired", forge(privateKeyPem, header, { ...claims, iat: now - 700, exp: now - 100 }), "TOKEN_EXPIRED"),
    bearer("an ended session", forge(privateKeyPem, header, { ...claims, sid: REVOKED_SESSION }), "SESSION_REVOKED"),
    { what: "a service's", authorization: service.authorizationFor("edge"), reason: "TOKEN_INVALID" },
  ];
}
