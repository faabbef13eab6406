// People, machines and operators through a whole platform: what ends is refused everywhere at once, also by the services
// behind the edge and after member was killed; what they did stands in the audit log.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EdgeCaller, type Reply } from "../support/client.ts";
import { makeOperator } from "../support/operator.ts";
import { Platform, waitFor } from "../support/platform.ts";

const PASSWORD = "correct horse battery";
let platform: Platform;
let edge: EdgeCaller;

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
});

after(() => platform.stop());

const isRefused = (reason: string) => (reply: Reply) => (reply.body.error?.code === reason ? reply : undefined);

/** The edge hears from member by a stream, some milliseconds later: long before the token's ten minutes are over. */
const refusal = (token: string, reason: string) =>
  waitFor(reason, async () => isRefused(reason)(await edge.call("GET", "/v1/accounts", { token })), 30_000);

async function tokenByForm(form: Record<string, string>) {
  const response = await fetch(`${platform.edge}/v1/tokens`, { method: "POST", body: new URLSearchParams(form) });
  return { status: response.status, body: (await response.json()) as Reply["body"] };
}

test("who logs out is refused at once, after a kill of member too; a used refresh token ends its session", async () => {
  const { email, token } = await edge.signUp();
  const session = (await edge.insist("POST", "/v1/sessions", { body: { email, password: PASSWORD } })).body.data;
  const { sessions } = await edge.expect(200, "GET", "/v1/sessions", { token });
  // A log-in that was not answered in time was made again, and has left a session.
  assert.ok(sessions.length >= 2, `${sessions.length} sessions`);
  assert.ok(sessions.every((each: { address: string }) => each.address === "127.0.0.1"));
  assert.equal(sessions[0].current, false, "the newest is the first");
  assert.equal(sessions.filter((each: { current: boolean }) => each.current).length, 1);
  await edge.expect(200, "DELETE", "/v1/sessions/current", { token });
  assert.equal((await refusal(token, "SESSION_REVOKED")).status, 401);

  const refresh = (refreshToken: string) => edge.call("POST", "/v1/sessions:refresh", { body: { refreshToken } });
  const second = (await refresh(session.refreshToken)).body.data;
  await edge.expect(200, "GET", "/v1/accounts", { token: second.accessToken });
  assert.equal((await refresh(session.refreshToken)).body.error.code, "SESSION_REVOKED");
  await refusal(second.accessToken, "SESSION_REVOKED");
  assert.equal((await refresh(second.refreshToken)).body.error.code, "SESSION_REVOKED");

  platform.kill9("member");
  await waitFor("member is back, and knows", async () =>
    isRefused("SESSION_REVOKED")(await refresh(second.refreshToken)),
  );
  assert.equal((await edge.insist("GET", "/v1/members/me", { token })).body.error.code, "SESSION_REVOKED");
});

test("a machine does for its member what its scopes allow, until its client is gone", async () => {
  const { token } = await edge.signUp();
  const accountId = await edge.openAccount(token);
  const { apiClient, clientSecret } = await edge.expect(201, "POST", "/v1/api-clients", {
    token,
    body: { displayName: "Till 4", scopes: ["accounts:read"] },
  });
  const credentials = { grant_type: "client_credentials", client_id: apiClient.id, client_secret: clientSecret };
  const { status, body } = await tokenByForm(credentials);
  assert.deepEqual([status, body.data.scope, body.data.expiresIn], [201, "accounts:read", 600]);
  const machine: string = body.data.accessToken;
  const { account } = await edge.expect(200, "GET", `/v1/accounts/${accountId}`, { token: machine });
  assert.equal(account.id, accountId);
  for (const [method, path] of [
    ["GET", "/v1/transfers"],
    ["GET", "/v1/sessions"],
    ["GET", "/v1/api-clients"],
  ] as const)
    assert.equal((await edge.call(method, path, { token: machine })).body.error.code, "SCOPE_MISSING", path);
  const other = await edge.signUp();
  const others = await edge.openAccount(other.token);
  await edge.expect(404, "GET", `/v1/accounts/${others}`, { token: machine });

  const mine = `/v1/api-clients/${apiClient.id}`;
  assert.equal((await edge.call("DELETE", mine, { token: other.token })).status, 404);
  await edge.expect(200, "DELETE", mine, { token });
  await refusal(machine, "SESSION_REVOKED");
  assert.equal((await tokenByForm(credentials)).status, 401);
});

test("guesses are limited where they come from, and an operator reads who tried", async () => {
  const { id, email } = await edge.signUp();
  const logIn = (password: string) => edge.call("POST", "/v1/sessions", { body: { email, password } });
  for (let guess = 0; guess < 10; guess++) assert.equal((await logIn("wrong password")).status, 401);
  const refused = await logIn(PASSWORD);
  assert.deepEqual([refused.status, refused.body.error.code], [429, "RATE_LIMITED"]);
  assert.ok(Number(refused.headers.get("retry-after")) > 0);

  const operator = await edge.logIn("ops@example.com", await makeOperator(platform, "ops@example.com"));
  const path = `/v1/audit-log?member_id=${id}&kind=AUDIT_KIND_LOG_IN`;
  const { entries } = await edge.expect(200, "GET", path, { token: operator });
  const wrong = entries.filter(({ outcome }: { outcome: string }) => outcome === "CREDENTIALS_INVALID");
  assert.deepEqual([wrong.length, entries.length > 10], [10, true]);
  assert.deepEqual([entries[0].outcome, entries[0].address], ["CREDENTIALS_INVALID", "127.0.0.1"]);
  const forged = await edge.insist("GET", "/v1/audit-log?page_token=forged", { token: operator });
  assert.deepEqual([forged.status, forged.body.error.code], [400, "PAGE_TOKEN_INVALID"]);
});
