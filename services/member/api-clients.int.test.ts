import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "@connectrpc/connect";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditKind, AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { FerryError } from "@ferry/platform/errors";
import { createRpcClient } from "@ferry/platform/rpc";
import { bearer, type MemberPlatform, PASSWORD, refusedWith, startMembersAlone, until } from "./member.fixture.ts";

let platform: MemberPlatform;
let clients: Client<typeof ApiClientService>;

before(async () => {
  platform = await startMembersAlone();
  clients = createRpcClient(ApiClientService, platform.anonymous);
});

after(() => platform.stop());

const grant = { grantType: "client_credentials" };

/** A person with a client of some scopes. */
async function withClient(scopes: string[]) {
  const person = await platform.signUp();
  const mine = bearer(person.authorization);
  const { apiClient, clientSecret } = await clients.createApiClient({ displayName: "Till", scopes }, mine);
  const credentials = { ...grant, clientId: apiClient!.id, clientSecret };
  return { person, mine, client: apiClient!, credentials };
}

async function tokenOf(credentials: object) {
  return bearer(`Bearer ${(await clients.createToken(credentials)).accessToken}`);
}

test("a machine acts for the member who made its client, with the client's scopes and no others", async () => {
  const { person, mine, client, credentials } = await withClient(["members:read", "transfers:read", "members:read"]);
  assert.deepEqual(client.scopes, ["members:read", "transfers:read"]);
  assert.match(credentials.clientSecret, /^ferry_cs_[\w-]{43}$/);
  const [row] = await platform.database.query<{ secret_hash: Buffer }>(
    "SELECT secret_hash FROM api_client WHERE id = $1",
    [client.id],
  );
  assert.equal(row!.secret_hash.length, 32);

  const all = await clients.createToken(credentials);
  assert.deepEqual([all.tokenType, all.expiresIn, all.scope], ["Bearer", 600, "members:read transfers:read"]);
  const asMachine = bearer(`Bearer ${all.accessToken}`);
  assert.equal((await platform.member.getCurrentMember({}, asMachine)).member?.id, person.id);
  const narrow = await clients.createToken({ ...credentials, scope: " transfers:read " });
  assert.equal(narrow.scope, "transfers:read");
  await refusedWith("SCOPE_MISSING", () =>
    platform.member.getCurrentMember({}, bearer(`Bearer ${narrow.accessToken}`)),
  );
  await refusedWith("INVALID_REQUEST", () => clients.createToken({ ...credentials, scope: "transfers:write" }));
  assert.ok((await clients.getApiClient({ apiClientId: client.id }, mine)).apiClient?.lastUseTime);
  // What stands for its session is none of the member's own.
  assert.equal((await platform.member.listSessions({}, mine)).sessions.length, 1);
});

test("no scope that would give others, none that the member has not, none that does not exist", async () => {
  const person = await platform.signUp();
  const mine = bearer(person.authorization);
  for (const scope of ["clients:write", "sessions:write", "sessions:read", "members:admin", "audit:read", "x", "*"]) {
    const refusal = await refusedWith("INVALID_REQUEST", () =>
      clients.createApiClient({ displayName: "x", scopes: ["members:read", scope] }, mine),
    );
    assert.deepEqual(
      refusal.fields.map(({ field }) => field),
      ["scopes[1]"],
    );
  }
  const made = await clients.createApiClient(
    { displayName: "watchman", scopes: ["audit:read"] },
    bearer(platform.operatorAuthorization),
  );
  const asWatchman = await tokenOf({ ...grant, clientId: made.apiClient!.id, clientSecret: made.clientSecret });
  const log = createRpcClient(AuditLogService, platform.anonymous);
  assert.ok((await log.listAuditLogEntries({}, asWatchman)).entries.length > 0);
  const suspension = { memberId: person.id, reason: "a machine wants it" };
  await refusedWith("SCOPE_MISSING", () => platform.member.suspendMember(suspension, asWatchman));
});

test("wrong secrets, unknown clients and other grants are refused; the first wrong ones are told to the audit log", async () => {
  const { person, credentials } = await withClient(["members:read"]);
  const other = await withClient(["members:read"]);
  const bad = [
    { clientSecret: "" },
    { clientSecret: `${credentials.clientSecret}x` },
    { clientSecret: other.credentials.clientSecret },
    { clientId: "0190b2c4-0000-7000-8000-000000000001" },
    { clientId: "'; DROP TABLE api_client" },
    { clientId: "" },
  ];
  for (const change of bad)
    await refusedWith("CREDENTIALS_INVALID", () => clients.createToken({ ...credentials, ...change }));
  for (const grantType of ["", "password", "refresh_token"])
    await refusedWith("INVALID_REQUEST", () => clients.createToken({ ...credentials, grantType }));
  const log = createRpcClient(AuditLogService, platform.anonymous);
  const refused = async () => {
    const asked = { memberId: person.id, kind: AuditKind.API_CLIENT_REFUSED };
    return (await log.listAuditLogEntries(asked, bearer(platform.operatorAuthorization))).entries.length;
  };
  assert.equal(await refused(), 3);
  for (let more = 0; more < 12; more++)
    await refusedWith("CREDENTIALS_INVALID", () => clients.createToken({ ...credentials, clientSecret: "x" }));
  assert.equal(await refused(), 10);
  await clients.createToken(credentials);
});

test("the form of RFC 6749 is taken too: alone, each parameter once, unknown ones ignored", async () => {
  const { credentials } = await withClient(["members:read"]);
  const formOf = (more = "") =>
    Buffer.from(
      `grant_type=client_credentials&client_id=${credentials.clientId}&client_secret=${credentials.clientSecret}${more}`,
    );
  const { scope } = await clients.createToken({ form: formOf("&scope=members%3Aread&resource=x") });
  assert.equal(scope, "members:read");
  await refusedWith("INVALID_REQUEST", () => clients.createToken({ form: formOf("&client_id=again") }));
  await refusedWith("INVALID_REQUEST", () => clients.createToken({ form: formOf("&scope=%00") }));
  await refusedWith("INVALID_REQUEST", () => clients.createToken({ form: formOf(), clientId: credentials.clientId }));
  await refusedWith("INVALID_REQUEST", () => clients.createToken({ form: Buffer.from("x") }));
});

test("a client that is deleted, or gets a new secret, takes its tokens along at once, on every replica", async () => {
  const { mine, client, credentials } = await withClient(["members:read"]);
  const atOther = createRpcClient(MemberService, platform.otherReplica);
  const isRefused = (token: { headers: { authorization: string } }) => () =>
    atOther.getCurrentMember({}, token).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    );
  const first = await tokenOf(credentials);
  await atOther.getCurrentMember({}, first);
  const rotated = await clients.rotateApiClientSecret({ apiClientId: client.id }, mine);
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, first));
  await until(isRefused(first));
  await refusedWith("CREDENTIALS_INVALID", () => clients.createToken(credentials));

  const renewed = { ...credentials, clientSecret: rotated.clientSecret };
  const second = await tokenOf(renewed);
  await platform.member.getCurrentMember({}, second);
  await clients.deleteApiClient({ apiClientId: client.id }, mine);
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, second));
  await until(isRefused(second));
  await refusedWith("CREDENTIALS_INVALID", () => clients.createToken(renewed));
  await refusedWith("NOT_FOUND", () => clients.getApiClient({ apiClientId: client.id }, mine));
});

test("another's client does not exist for anybody else", async () => {
  const { client, mine } = await withClient(["members:read"]);
  const stranger = bearer((await platform.signUp()).authorization);
  const apiClientId = client.id;
  await refusedWith("NOT_FOUND", () => clients.getApiClient({ apiClientId }, stranger));
  await refusedWith("NOT_FOUND", () => clients.rotateApiClientSecret({ apiClientId }, stranger));
  await refusedWith("NOT_FOUND", () => clients.deleteApiClient({ apiClientId }, stranger));
  assert.deepEqual((await clients.listApiClients({}, stranger)).apiClients, []);
  assert.deepEqual((await clients.listApiClients({}, mine)).apiClients, [client]);
});

test("a suspended member's machines are refused, with tokens from before too, and are back with their member", async () => {
  const { person, credentials } = await withClient(["members:read"]);
  const token = await tokenOf(credentials);
  const asOperator = bearer(platform.operatorAuthorization);
  await platform.member.suspendMember({ memberId: person.id, reason: "test" }, asOperator);
  await refusedWith("MEMBER_SUSPENDED", () => platform.member.getCurrentMember({}, token));
  await refusedWith("MEMBER_SUSPENDED", () => clients.createToken(credentials));
  await platform.member.reinstateMember({ memberId: person.id, reason: "test" }, asOperator);
  await platform.member.getCurrentMember({}, token);
});

test("a member has twenty clients at most, also when they come all at once", async () => {
  const mine = bearer((await platform.signUp()).authorization);
  const make = () => clients.createApiClient({ displayName: "x", scopes: ["members:read"] }, mine);
  const answers = await Promise.allSettled(Array.from({ length: 22 }, make));
  assert.equal(answers.filter(({ status }) => status === "fulfilled").length, 20);
  await refusedWith("API_CLIENT_LIMIT", make);
  const { apiClients } = await clients.listApiClients({}, mine);
  await clients.deleteApiClient({ apiClientId: apiClients[0]!.id }, mine);
  await make();
});

test("who becomes an operator keeps no client from before", async () => {
  const { person, credentials } = await withClient(["members:read"]);
  const token = await tokenOf(credentials);
  await platform.makeOperator({ email: person.email, displayName: "x", password: PASSWORD });
  await refusedWith("CREDENTIALS_INVALID", () => clients.createToken(credentials));
  await until(() =>
    platform.member.getCurrentMember({}, token).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
});

test("a session that has ended gives no secret any more, before the word of its end has gone around", async () => {
  const { person, mine, client } = await withClient(["members:read"]);
  // As another replica does it, the moment before its notice is heard here.
  await platform.database.query(
    "UPDATE session SET revoked_at = now() WHERE member_id = $1 AND api_client_id IS NULL",
    [person.id],
  );
  const make = () => clients.createApiClient({ displayName: "x", scopes: ["members:read"] }, mine);
  await refusedWith("SESSION_REVOKED", make);
  await refusedWith("SESSION_REVOKED", () => clients.rotateApiClientSecret({ apiClientId: client.id }, mine));
  const rows = await platform.database.query("SELECT id FROM api_client WHERE member_id = $1", [person.id]);
  assert.deepEqual(rows, [{ id: client.id }]);
});
