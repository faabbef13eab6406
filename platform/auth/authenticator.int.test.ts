import assert from "node:assert/strict";
import { createPublicKey, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createAuthenticator, createAuthorityState, generateKeyPair, toJwks } from "./index.ts";

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

test("a token that says where its key is gets no request sent there", async (t) => {
  const { privateKeyPem, publicKeyPem } = generateKeyPair();
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? "");
    response.end(JSON.stringify(toJwks(new Map([["k1", publicKeyPem]]))));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const authority = createAuthorityState();
  const nothing = { keys: [], suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  authority.apply({ ...nothing, snapshot: true });
  const authenticator = createAuthenticator({ audience: "x", authority, trustedServices: new Map() });
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = encode({
    ...{ iss: "ferry-member", aud: "ferry", sub: "m1", sid: "s1", role: "operator", scope: "members:admin" },
    ...{ iat: nowSeconds, exp: nowSeconds + 600 },
  });
  const header = { alg: "ES256", typ: "at+jwt", kid: "k1" };
  const headers = [
    { ...header, jku: `${url}/jku` },
    { ...header, x5u: `${url}/x5u` },
    { ...header, kid: `${url}/kid` },
    { ...header, jwk: createPublicKey(publicKeyPem).export({ format: "jwk" }), jku: `${url}/both` },
  ];
  for (const each of headers) {
    const text = `${encode(each)}.${claims}`;
    const signature = sign("sha256", Buffer.from(text), { key: privateKeyPem, dsaEncoding: "ieee-p1363" });
    const authorization = `Bearer ${text}.${signature.toString("base64url")}`;
    assert.throws(() => authenticator.authenticate(authorization), { reason: "TOKEN_INVALID" });
  }
  // Whatever had been sent would have come before this one.
  await (await fetch(`${url}/own`)).text();
  assert.deepEqual(seen, ["/own"]);
});
