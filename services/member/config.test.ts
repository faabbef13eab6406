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
