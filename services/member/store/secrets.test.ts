import assert from "node:assert/strict";
import { argon2Sync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { openKey, sealKey } from "./key-seal.ts";
import { createPasswordHasher } from "./password-hash.ts";
import { hashOfRefreshToken, makeRefreshToken } from "./refresh-token.ts";

test("a sealed key opens only under its secret, for its kid, unchanged", () => {
  const secret = randomBytes(32);
  const sealed = sealKey(secret, "k1", "the key");
  assert.equal(openKey(secret, "k1", sealed), "the key");
  assert.notDeepEqual(sealKey(secret, "k1", "the key"), sealed);
  assert.throws(() => openKey(randomBytes(32), "k1", sealed), /k1 cannot be opened: FERRY_MEMBER_KEY_SECRET/);
  assert.throws(() => openKey(secret, "k2", sealed), /cannot be opened/);
  for (const at of [0, 12, 28, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at]! ^= 1;
    assert.throws(() => openKey(secret, "k1", changed), /cannot be opened/);
  }
  assert.throws(() => openKey(secret, "k1", Buffer.alloc(0)), /cannot be opened/);
});

test("refresh tokens differ each time, and only their form is hashed", () => {
  const session = "01890000-0000-7000-8000-000000000000";
  const [a, b] = [makeRefreshToken(session), makeRefreshToken(session)];
  assert.notEqual(a.token, b.token);
  assert.deepEqual(hashOfRefreshToken(a.token), a.hash);
  for (const bad of ["", "ferry_rt_", `${a.token}A`, a.token.slice(1), "a.b.c"])
    assert.equal(hashOfRefreshToken(bad), undefined);
});

test("a password is checked against its PHC string, composed or not, and nobody's password is never right", async () => {
  const passwords = createPasswordHasher();
  const stored = await passwords.hash("jos\u00e9 was here");
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.equal(await passwords.verify("jose\u0301 was here", stored), true);
  assert.equal(await passwords.verify("jose was here", stored), false);
  assert.equal(await passwords.verify("jos\u00e9 was here", undefined), false);
  assert.notEqual(await passwords.hash("jos\u00e9 was here"), stored);
  await assert.rejects(passwords.verify("x", "$argon2id$v=19$m=9999999,t=2,p=1$c2FsdHNhbHQ$AAAA"), /not of the form/);
});

test("hashes with other parameters of argon2id are still checked by their own", async () => {
  const nonce = Buffer.from("somesaltsomesalt");
  const parameters = { memory: 64, passes: 3, parallelism: 1, tagLength: 24, nonce, message: Buffer.from("old one") };
  const tag = argon2Sync("argon2id", parameters).toString("base64");
  const stored = `$argon2id$v=19$m=64,t=3,p=1$${nonce.toString("base64").replaceAll("=", "")}$${tag}`;
  assert.equal(await createPasswordHasher().verify("old one", stored), true);
  assert.equal(await createPasswordHasher().verify("new one", stored), false);
});

test("no more hashes run or wait than allowed; the rest is told to come later", async () => {
  const passwords = createPasswordHasher({ maxConcurrent: 1, maxWaiting: 1 });
  const calls = await Promise.allSettled([1, 2, 3, 4].map(() => passwords.hash("password")));
  const ends = calls.map((call) => (call.status === "fulfilled" ? "ok" : call.reason.reason));
  assert.deepEqual(ends, ["ok", "ok", "OVERLOADED", "OVERLOADED"]);
  assert.equal(typeof (await passwords.hash("password")), "string");
});
