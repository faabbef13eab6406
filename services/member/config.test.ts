import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { readConfig } from "./config.ts";

const files = { FERRY_SERVICE_KEY_FILE: "key.pem", FERRY_SERVICE_TRUST_FILE: "trust.json" };

test("the secret of the signing keys has no default and must be 32 random bytes; it is never shown", () => {
  const secret = randomBytes(32).toString("base64");
  assert.equal(readConfig({ ...files, FERRY_MEMBER_KEY_SECRET: secret }).keySecret.length, 32);
  assert.equal(readConfig({ ...files, FERRY_MEMBER_KEY_SECRET: secret }).rotateAfterMs, 2_592_000_000);
  assert.throws(() => readConfig(files), /FERRY_MEMBER_KEY_SECRET is missing/);
  for (const bad of ["short", randomBytes(31).toString("base64"), Buffer.alloc(32).toString("base64")])
    assert.throws(
      () => readConfig({ ...files, FERRY_MEMBER_KEY_SECRET: bad }),
      (error: Error) => /FERRY_MEMBER_KEY_SECRET is \(secret\)/.test(error.message) && !error.message.includes(bad),
    );
});

test("in production member does not start without the files of mutual TLS, and says which", () => {
  const production = {
    ...{ ...files, FERRY_ENV: "production", FERRY_MEMBER_KEY_SECRET: randomBytes(32).toString("base64") },
    ...{ DATABASE_URL: "postgres://ferry@db/ferry_member", KAFKA_BROKERS: "kafka:9092" },
  };
  const tls = { FERRY_TLS_CERT_FILE: "c.pem", FERRY_TLS_KEY_FILE: "k.pem", FERRY_TLS_CA_FILE: "ca.pem" };
  assert.equal(readConfig({ ...production, ...tls }).tlsCaFile, "ca.pem");
  for (const name of Object.keys(tls))
    assert.throws(() => readConfig({ ...production, ...tls, [name]: "" }), new RegExp(`${name} is missing`));
});
