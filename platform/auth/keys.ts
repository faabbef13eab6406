import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from "node:crypto";

/** A key that must not be used, said in words that a person who configures can act on. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

/** A set of public keys as in RFC 7517, section 5. */
export interface Jwks {
  keys: (webcrypto.JsonWebKey & { kid: string; use: "sig"; alg: "ES256" })[];
}

/** The longest name of a key that is looked at. */
export const MAX_KID_LENGTH = 128;
const MAX_TRUSTED = 1_000;

/** ES256 is ECDSA on the curve P-256 and nothing else (RFC 7518, section 3.4); it is refused at start, not at the first token. */
function demandP256(key: KeyObject, name: string): KeyObject {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === "ec" && curve === "prime256v1") return key;
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  const found = [key.asymmetricKeyType ?? key.type, curve ?? (modulusLength && `${modulusLength} bits`)];
  throw new KeyError(
    `${name} is ${found.filter(Boolean).join(", ")}: must be an EC key on P-256 (prime256v1), for ES256`,
  );
}

/**
 * Reads a private key for ES256.
 *
 * @param name What the key is, for the message: "private key of transfer".
 * @throws KeyError when it is no private key on P-256.
 */
export function readPrivateKey(pem: string, name: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new KeyError(`${name} cannot be read: must be a private key, PEM (PKCS #8)`, { cause });
  }
  return demandP256(key, name);
}

/** Reads a public key for ES256. @throws KeyError when it is no public key on P-256. */
export function readPublicKey(pem: string, name: string): KeyObject {
  if (/PRIVATE KEY/.test(pem)) throw new KeyError(`${name} is a private key: must be a public key, PEM`);
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new KeyError(`${name} cannot be read: must be a public key, PEM (SubjectPublicKeyInfo)`, { cause });
  }
  return demandP256(key, name);
}

/** Makes a new key pair for ES256, both halves as PEM. */
export function generateKeyPair(): { privateKeyPem: string; publicKeyPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }) as string,
    publicKeyPem: publicKey.export({ format: "pem", type: "spki" }) as string,
  };
}

/** Public keys by kid, each as a key or as PEM, in the form that /.well-known/jwks.json and the trust file have. */
export function toJwks(keys: ReadonlyMap<string, KeyObject | string>): Jwks {
  return {
    keys: [...keys].map(([kid, given]) => {
      const key = typeof given === "string" ? readPublicKey(given, `key ${kid}`) : given;
      const { kty, crv, x, y } = key.export({ format: "jwk" });
      return { kty, crv, x, y, kid, use: "sig", alg: "ES256" };
    }),
  };
}

/**
 * The trust file of a platform whose private keys are all at hand, as on one laptop.
 *
 * @param privateKeyPems By name of the service.
 * @returns A JWKS of the public halves, JSON.
 */
export function trustedServicesJson(privateKeyPems: ReadonlyMap<string, string>): string {
  const publicKeys = [...privateKeyPems].map(
    ([name, pem]) => [name, createPublicKey(readPrivateKey(pem, `private key of ${name}`))] as const,
  );
  return JSON.stringify(toJwks(new Map(publicKeys)), undefined, 2);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function trustedKey(entry: unknown, index: number): [string, KeyObject] {
  const name = `keys[${index}] of the trusted services`;
  if (!isRecord(entry)) throw new KeyError(`${name} is not an object`);
  const { kid, kty, crv, x, y } = entry;
  if (typeof kid !== "string" || kid === "" || kid.length > MAX_KID_LENGTH)
    throw new KeyError(`${name} has no kid: must be the service's name, ${MAX_KID_LENGTH} characters at most`);
  if ("d" in entry) throw new KeyError(`${name} (${kid}) is a private key: must be public`);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { kty, crv, x, y, n: entry.n, e: entry.e } as webcrypto.JsonWebKey, format: "jwk" });
  } catch (cause) {
    throw new KeyError(`${name} (${kid}) cannot be read: must be a public key, JWK`, { cause });
  }
  return [kid, demandP256(key, `${name} (${kid})`)];
}

/**
 * Reads the services that may call others: a JWKS whose kids are the services' names.
 *
 * @throws KeyError that names the entry which is not usable.
 */
export function parseTrustedServices(jwksJson: string): ReadonlyMap<string, KeyObject> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(jwksJson);
  } catch (cause) {
    throw new KeyError("trusted services cannot be read: must be a JWKS, JSON", { cause });
  }
  if (!isRecord(parsed) || !Array.isArray(parsed.keys))
    throw new KeyError('trusted services cannot be read: must be a JWKS, {"keys": […]}');
  if (parsed.keys.length > MAX_TRUSTED) throw new KeyError(`trusted services are more than ${MAX_TRUSTED}`);
  const entries = parsed.keys.map(trustedKey);
  const trusted = new Map(entries);
  if (trusted.size !== entries.length) throw new KeyError("trusted services have the same kid twice");
  return trusted;
}
