import assert from "node:assert/strict";
import { test } from "node:test";
import { newSecret, secretText, signatureHeader } from "./signature.ts";

// The example of the Standard Webhooks specification and of its reference libraries' tests.
const SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MESSAGE = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: '{"test": 2432232314}' };
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

test("the signature is that of the standard's own example", () => {
  assert.equal(signatureHeader(MESSAGE, [Buffer.from(SECRET, "base64")]), SIGNATURE);
});

test("each secret signs, and every part is signed", () => {
  const key = Buffer.from(SECRET, "base64");
  const two = signatureHeader(MESSAGE, [newSecret(), key]).split(" ");
  assert.equal(two.length, 2);
  assert.equal(two[1], SIGNATURE);
  for (const change of [{ id: "msg_other" }, { timestamp: 1 }, { body: "{}" }])
    assert.notEqual(signatureHeader({ ...MESSAGE, ...change }, [key]), SIGNATURE);
});

test("a secret is shown as the standard has it", () => {
  assert.match(secretText(newSecret()), /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.notDeepEqual(newSecret(), newSecret());
});
