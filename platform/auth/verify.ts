import type { KeyObject } from "node:crypto";
import { FerryError } from "@ferry/platform/errors";
import jwt from "jsonwebtoken";
import { MAX_KID_LENGTH } from "./keys.ts";
import { ACCESS_TOKEN, SERVICE_ASSERTION } from "./tokens.ts";
import type { Principal } from "./types.ts";

/** How far clocks may be apart, in seconds. */
export const CLOCK_SKEW_SECONDS = 10;

const MAX_TOKEN_LENGTH = 4_096;
/** Three parts of base64url; a signature of ES256 is 64 bytes, so 86 characters (RFC 7518, section 3.4). */
const FORM = /^[\w-]+\.[\w-]+\.([\w-]{86})$/;
/** Header fields that bring a key, or ask for a rule that is not known here. */
const REFUSED_HEADERS = ["crit", "jwk", "jku", "x5u", "x5c", "zip", "b64"];
const MAX_ID_LENGTH = 128;

/** A token whose signature, form and time are good. */
export interface Verified {
  principal: Principal;
  kid: string;
  /** The key that it was good under. */
  key: KeyObject;
}

export interface VerifyOptions {
  /** The name of the service that verifies: audience of what other services say. */
  audience: string;
  findMemberKey(kid: string): KeyObject | undefined;
  findServiceKey(kid: string): KeyObject | undefined;
  nowMs: number;
}

function invalid(what: string, cause?: unknown): FerryError {
  return new FerryError("TOKEN_INVALID", `the token is not valid: ${what}`, { cause });
}

/** What a token says of itself before anything is proven; only good for choosing the key. */
function readHeader(token: string): { kid: string; typ: string } {
  if (token.length > MAX_TOKEN_LENGTH) throw invalid(`longer than ${MAX_TOKEN_LENGTH} characters`);
  const signature = FORM.exec(token)?.[1];
  // A signature has one spelling: else the unused bits of its last character could be changed at will.
  if (signature === undefined || Buffer.from(signature, "base64url").toString("base64url") !== signature)
    throw invalid("not a signed JWT in compact form");
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(token.slice(0, token.indexOf(".")), "base64url").toString("utf8"));
  } catch (cause) {
    throw invalid("header is not JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw invalid("header is not an object");
  const refused = REFUSED_HEADERS.find((name) => name in header);
  if (refused !== undefined) throw invalid(`header has ${refused}`);
  const { alg, kid, typ } = header as Record<string, unknown>;
  if (alg !== "ES256") throw invalid("alg is not ES256");
  if (typeof kid !== "string" || kid === "" || kid.length > MAX_KID_LENGTH) throw invalid("kid is missing or too long");
  if (typeof typ !== "string") throw invalid("typ is missing");
  return { kid, typ };
}

/** Proves the signature and the registered claims; the library sees one algorithm and the key of this kid alone. */
function readClaims(
  token: string,
  key: KeyObject,
  expected: { issuer: string; audience: string; lifeSeconds: number; nowMs: number },
): Record<string, unknown> {
  const nowSeconds = Math.floor(expected.nowMs / 1000);
  let claims: unknown;
  try {
    claims = jwt.verify(token, key, {
      algorithms: ["ES256"],
      issuer: expected.issuer,
      clockTolerance: CLOCK_SKEW_SECONDS,
      clockTimestamp: nowSeconds,
    });
  } catch (cause) {
    if (cause instanceof jwt.TokenExpiredError)
      throw new FerryError("TOKEN_EXPIRED", "the token has expired", { cause });
    throw invalid(cause instanceof Error ? cause.message.replace(/^jwt /, "") : "not readable", cause);
  }
  if (typeof claims !== "object" || claims === null) throw invalid("claims are not an object");
  const { exp, iat, aud } = claims as Record<string, unknown>;
  // The library takes a list of audiences that holds ours; a token that is good elsewhere too is not for us.
  if (aud !== expected.audience) throw invalid(`aud is not ${expected.audience}`);
  if (typeof exp !== "number") throw invalid("exp is missing");
  if (exp > nowSeconds + expected.lifeSeconds + CLOCK_SKEW_SECONDS)
    throw invalid(`exp is more than ${expected.lifeSeconds} s away`);
  if (iat !== undefined && (typeof iat !== "number" || iat > nowSeconds + CLOCK_SKEW_SECONDS))
    throw invalid("iat is not a time in the past");
  return claims as Record<string, unknown>;
}

function textClaim(claims: Record<string, unknown>, name: string, maxLength = MAX_ID_LENGTH): string {
  const value = claims[name];
  if (typeof value !== "string" || value === "" || value.length > maxLength)
    throw invalid(`${name} is missing or not a text`);
  return value;
}

function memberOf(claims: Record<string, unknown>): Principal {
  const role = textClaim(claims, "role");
  if (role !== "member" && role !== "operator") throw invalid("role is not known");
  return {
    kind: role,
    id: textClaim(claims, "sub"),
    sessionId: textClaim(claims, "sid"),
    ...(claims.client_id === undefined ? {} : { clientId: textClaim(claims, "client_id") }),
    scopes: new Set(textClaim(claims, "scope", 1_024).split(" ")),
    expiresAt: claims.exp as number,
  };
}

/**
 * Verifies a token by its type: a member's access token, or what another service says.
 *
 * @throws FerryError TOKEN_INVALID, TOKEN_EXPIRED.
 */
export function verifyToken(token: string, options: VerifyOptions): Verified {
  const { audience, nowMs } = options;
  const { kid, typ } = readHeader(token);
  switch (typ) {
    case ACCESS_TOKEN.type: {
      const key = options.findMemberKey(kid);
      if (key === undefined) throw invalid("its key is not known, or retired");
      return { principal: memberOf(readClaims(token, key, { ...ACCESS_TOKEN, nowMs })), kid, key };
    }
    case SERVICE_ASSERTION.type: {
      const key = options.findServiceKey(kid);
      if (key === undefined) throw invalid("its service is not known");
      const claims = readClaims(token, key, { ...SERVICE_ASSERTION, issuer: kid, audience, nowMs });
      const principal: Principal = { kind: "service", id: kid, scopes: new Set(), expiresAt: claims.exp as number };
      return { principal, kid, key };
    }
    default:
      throw invalid(`typ is neither ${ACCESS_TOKEN.type} nor ${SERVICE_ASSERTION.type}`);
  }
}
