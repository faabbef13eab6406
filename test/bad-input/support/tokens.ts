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

type Named<Value> = [what: string, value: Value];

const ENDED_SESSION = "0190b2c4-0000-7000-8000-0000000000dd";
const SESSION = "0190b2c4-0000-7000-8000-0000000000ee";
const HEADER = { alg: "ES256", typ: "at+jwt", kid: KID };
const YEAR_SECONDS = 31_536_000;
/** Thousands of requests carry these tokens: a minute ahead would have come before the last of them on a slow machine. */
const AHEAD_SECONDS = 500;

/** Claims that are good now, with an operator's scopes: what is refused is refused for another reason than these. */
export function goodClaims(seconds = Math.floor(Date.now() / 1_000)) {
  return {
    ...{ iss: "ferry-member", aud: "ferry", sub: MEMBER_ID, sid: SESSION, role: "operator" },
    ...{ scope: scopesOf("operator").join(" "), iat: seconds, exp: seconds + 600 },
  };
}

function badHeaders(jwk: object): Named<object>[] {
  const one = (name: string, ...values: unknown[]) =>
    values.map((value): Named<object> => [`${name} ${String(value).slice(0, 20)}`, { ...HEADER, [name]: value }]);
  return [
    ...one("alg", "none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES384", "es256", undefined),
    ...one(
      "kid",
      "unknown",
      "../../etc/passwd",
      "k' OR '1'='1",
      "__proto__",
      "tests\u0000",
      "k".repeat(10_240),
      undefined,
    ),
    ...one("typ", "JWT", "rt+jwt", "AT+JWT", "service+jwt", undefined),
    ...one("jwk", jwk),
    ...one("jku", "http://127.0.0.1:1/keys"),
    ...one("x5u", "http://127.0.0.1:1/cert"),
    ...one("x5c", ["MII"]),
    ...one("crit", ["exp"]),
  ];
}

function badClaims(now: number): Named<object>[] {
  return [
    ["no exp", { exp: undefined }],
    ["exp as a text", { exp: String(now + 600) }],
    ["exp in a year", { exp: now + YEAR_SECONDS }],
    ["nbf in the future", { nbf: now + AHEAD_SECONDS }],
    ["iat in the future", { iat: now + AHEAD_SECONDS }],
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
}

/** Tokens whose text, signature or key is bad. @param stranger A private key that the edge does not know. */
function badSignatures({ privateKeyPem, publicKeyPem }: TestEdge["keys"], stranger: string): Named<string>[] {
  const claims = goodClaims();
  const [head, body, signature] = forge(privateKeyPem, HEADER, claims).split(".") as [string, string, string];
  const hs = `${encode({ ...HEADER, alg: "HS256" })}.${body}`;
  const hmac = (secret: string | Buffer) => `${hs}.${createHmac("sha256", secret).update(hs).digest("base64url")}`;
  const der = createPublicKey(publicKeyPem).export({ format: "der", type: "spki" });
  const jwk = createPublicKey(stranger).export({ format: "jwk" });
  return [
    ["no JWT", "nonsense"],
    ["three letters", "a.b.c"],
    ["a refresh token", `ferry_rt_${"A".repeat(43)}`],
    ["an empty signature", `${head}.${body}.`],
    ["no signature", `${head}.${body}`],
    ["a tampered signature", `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`],
    ["a signature of zeros", `${head}.${body}.${"A".repeat(86)}`],
    ["tampered claims", `${head}.${encode({ ...claims, sub: "somebody" })}.${signature}`],
    ["another's signature", forge(stranger, HEADER, claims)],
    ["an embedded jwk that signed", forge(stranger, { ...HEADER, jwk }, claims)],
    ["HS256 under our public key", hmac(publicKeyPem)],
    ["HS256 under its bytes", hmac(der)],
    ["HS256 under nothing", hmac("")],
  ];
}

/** Makes a key known, uses its token once, so that it is kept, and takes the key away again. */
async function retiredToken({ tell, authority, app }: TestEdge): Promise<string> {
  const retired = generateKeyPair();
  const token = forge(retired.privateKeyPem, { ...HEADER, kid: "retired" }, goodClaims());
  const { keys } = authority.snapshot();
  tell({ keys: [...keys, { kid: "retired", publicKeyPem: retired.publicKeyPem }] });
  const { statusCode } = await app.inject({ url: "/v1/transfers", headers: { authorization: `Bearer ${token}` } });
  if (statusCode !== 200) throw new Error(`the token of a key that is not retired yet was answered ${statusCode}`);
  tell({ keys });
  return token;
}

/** Every way in which a token can be bad. */
export async function badTokens(edge: TestEdge): Promise<BadToken[]> {
  const { privateKeyPem } = edge.keys;
  const stranger = generateKeyPair().privateKeyPem;
  const claims = goodClaims();
  const good = forge(privateKeyPem, HEADER, claims);
  const expired = { ...claims, iat: claims.iat - 700, exp: claims.iat - 100 };
  const { authorizationFor } = createServiceIdentity({ name: "transfer", privateKeyPem: stranger });
  const none: Named<string | undefined>[] = [
    ["no token", undefined],
    ["an empty header", ""],
    ["a scheme alone", "Bearer"],
    ["a scheme and a space", "Bearer "],
    ["another scheme", "Basic YTpi"],
    ["two tokens", `Bearer ${good} ${good}`],
  ];
  const invalid: Named<string>[] = [
    ...badSignatures(edge.keys, stranger),
    ["a retired key", await retiredToken(edge)],
    ["a service's", authorizationFor("edge").replace("Bearer ", "")],
    ...badHeaders(createPublicKey(stranger).export({ format: "jwk" })).map(
      ([what, header]): Named<string> => [what, forge(privateKeyPem, header, claims)],
    ),
    ...badClaims(claims.iat).map(
      ([what, odd]): Named<string> => [what, forge(privateKeyPem, HEADER, { ...claims, ...odd })],
    ),
  ];
  edge.tell({ revokedSessionIds: [ENDED_SESSION] });
  edge.seen.splice(0); // The call of the key that was good once.
  const bearer = ([what, token]: Named<string>, reason: string) => ({ what, authorization: `Bearer ${token}`, reason });
  return [
    ...none.map(([what, authorization]) => ({ what, authorization, reason: "UNAUTHENTICATED" })),
    ...invalid.map((one) => bearer(one, "TOKEN_INVALID")),
    bearer(["expired", forge(privateKeyPem, HEADER, expired)], "TOKEN_EXPIRED"),
    bearer(["an ended session", forge(privateKeyPem, HEADER, { ...claims, sid: ENDED_SESSION })], "SESSION_REVOKED"),
  ];
}
