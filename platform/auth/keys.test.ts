import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  generateKeyPair,
  KeyError,
  parseTrustedServices,
  readPrivateKey,
  readPublicKey,
  toJwks,
  trustedServicesJson,
} from "./keys.ts";
import { createServiceIdentity, createTokenSigner } from "./tokens.ts";

const PEM = {
  publicKeyEncoding: { format: "pem", type: "spki" },
  privateKeyEncoding: { format: "pem", type: "pkcs8" },
};
const encoding = PEM as {
  publicKeyEncoding: { format: "pem"; type: "spki" };
  privateKeyEncoding: { format: "pem"; type: "pkcs8" };
};

test("weak keys, other curves and other kinds are refused at start, by name", () => {
  const bad = [
    generateKeyPairSync("rsa", { modulusLength: 1024, ...encoding }),
    generateKeyPairSync("ec", { namedCurve: "secp256k1", ...encoding }),
    generateKeyPairSync("ec", { namedCurve: "P-384", ...encoding }),
    generateKeyPairSync("ec", { namedCurve: "prime192v1", ...encoding }),
    generateKeyPairSync("ed25519", encoding),
  ];
  for (const { privateKey, publicKey } of bad) {
    assert.throws(() => createServiceIdentity({ name: "transfer", privateKeyPem: privateKey }), {
      name: "KeyError",
      message: /private key of transfer is .*: must be an EC key on P-256/,
    });
    assert.throws(() => createTokenSigner({ kid: "k1", privateKeyPem: privateKey }), /signing key k1 is/);
    assert.throws(() => readPublicKey(publicKey, "public key k1"), KeyError);
  }
  assert.throws(() => readPrivateKey("not a key", "private key of transfer"), /cannot be read/);
  assert.throws(() => readPrivateKey(generateKeyPair().publicKeyPem, "x"), /cannot be read/);
  assert.throws(() => readPublicKey(generateKeyPair().privateKeyPem, "public key k1"), /is a private key/);
});

test("trusted services are read from what the launcher writes, without private halves", () => {
  const pair = generateKeyPair();
  const json = trustedServicesJson(new Map([["transfer", pair.privateKeyPem]]));
  assert.doesNotMatch(json, /"d"/);
  const trusted = parseTrustedServices(json);
  assert.deepEqual([...trusted.keys()], ["transfer"]);
  assert.ok(trusted.get("transfer")?.equals(readPublicKey(pair.publicKeyPem, "it")));
  assert.deepEqual(toJwks(trusted), JSON.parse(json));
});

test("a trust file that is not usable says which entry is wrong", () => {
  const [key] = toJwks(new Map([["transfer", generateKeyPair().publicKeyPem]])).keys;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const bad: [unknown, RegExp][] = [
    ["{", /JSON/],
    [[], /JWKS/],
    [{ keys: {} }, /JWKS/],
    [{ keys: [null] }, /keys\[0\]/],
    [{ keys: [key, { ...key, kid: undefined }] }, /keys\[1\].*kid/],
    [{ keys: [{ ...key, kid: "k".repeat(129) }] }, /kid/],
    [{ keys: [{ ...key, d: "secret" }] }, /transfer.*private/],
    [{ keys: [{ ...key, x: "AAAA" }] }, /transfer.*cannot be read/],
    [{ keys: [{ ...rsa, kid: "transfer" }] }, /transfer.*1024 bits.*P-256/],
    [{ keys: [key, key] }, /twice/],
  ];
  for (const [value, message] of bad)
    assert.throws(() => parseTrustedServices(typeof value === "string" ? value : JSON.stringify(value)), message);
});
