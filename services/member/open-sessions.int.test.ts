import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AuditKind, AuditKindSchema, AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createAuthenticator, createAuthorityState } from "@ferry/platform/auth";
import type { FerryError } from "@ferry/platform/errors";
import { createRpcClient, METADATA } from "@ferry/platform/rpc";
import { bearer, type MemberPlatform, PASSWORD, refusedWith, startMembersAlone, until } from "./member.fixture.ts";

let platform: MemberPlatform;

before(async () => {
  platform = await startMembersAlone();
});

after(() => platform.stop());

const from = (address: string, agent: string) => ({
  headers: { [METADATA.clientAddress]: address, [METADATA.clientAgent]: agent },
});

/** Logs a person in once more, from somewhere. */
async function logInFrom(email: string, address: string, agent = "test") {
  const { accessToken, refreshToken } = await platform.member.createSession(
    { email, password: PASSWORD },
    from(address, agent),
  );
  return { refreshToken, ...bearer(`Bearer ${accessToken}`) };
}

const auditLog = (request: object) =>
  createRpcClient(AuditLogService, platform.anonymous).listAuditLogEntries(
    request,
    bearer(platform.operatorAuthorization),
  );

test("a member sees where they are logged in, newest first, a page at a time, and nobody else's", async () => {
  const person = await platform.signUp();
  await platform.signUp();
  const phone = await logInFrom(person.email, "203.0.113.7", "phone");
  await platform.member.refreshSession({ refreshToken: phone.refreshToken }, from("203.0.113.8", "phone 2"));
  const desk = await logInFrom(person.email, "2001:db8::1", "desk");

  const { sessions, nextPageToken } = await platform.member.listSessions({ pageSize: 2 }, desk);
  assert.deepEqual(
    sessions.map(({ address, userAgent, current }) => [address, userAgent, current]),
    [
      ["2001:db8::1", "desk", true],
      ["203.0.113.8", "phone 2", false],
    ],
  );
  assert.ok(sessions[1]!.lastUseTime!.seconds >= sessions[1]!.createTime!.seconds);
  const rest = await platform.member.listSessions({ pageSize: 2, pageToken: nextPageToken }, desk);
  assert.deepEqual([rest.sessions.length, rest.nextPageToken], [1, ""]);
  await refusedWith("PAGE_TOKEN_INVALID", () =>
    platform.member.listSessions({ pageToken: `${nextPageToken.slice(0, -2)}AA` }, desk),
  );
});

test("who logs out is refused at once, by every replica and every verifier, and so is the refresh token", async () => {
  const person = await platform.signUp();
  const atOther = createRpcClient(MemberService, platform.otherReplica);
  await atOther.getCurrentMember({}, bearer(person.authorization));
  await platform.member.deleteSession({ sessionId: "current" }, bearer(person.authorization));
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, bearer(person.authorization)));
  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: person.refreshToken }));
  await until(() =>
    atOther.getCurrentMember({}, bearer(person.authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
});

test("a member ends one other session, or all others; another's session does not exist for them", async () => {
  const person = await platform.signUp();
  const stranger = await platform.signUp();
  const [lost, old] = [await logInFrom(person.email, "203.0.113.1"), await logInFrom(person.email, "203.0.113.2")];
  const mine = bearer(person.authorization);
  const { sessions } = await platform.member.listSessions({}, mine);
  const lostId = sessions.find(({ address }) => address === "203.0.113.1")!.id;

  await refusedWith("NOT_FOUND", () =>
    platform.member.deleteSession({ sessionId: lostId }, bearer(stranger.authorization)),
  );
  await platform.member.getCurrentMember({}, lost);
  await platform.member.deleteSession({ sessionId: lostId.toUpperCase() }, mine);
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, lost));
  await refusedWith("NOT_FOUND", () => platform.member.deleteSession({ sessionId: lostId }, mine));
  await refusedWith("INVALID_REQUEST", () => platform.member.deleteSession({ sessionId: "all" }, mine));

  assert.equal((await platform.member.revokeOtherSessions({}, mine)).revokedCount, 1);
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, old));
  assert.equal((await platform.member.revokeOtherSessions({}, mine)).revokedCount, 0);
  await platform.member.getCurrentMember({}, mine);
  await platform.member.getCurrentMember({}, bearer(stranger.authorization));
});

test("of ten uses of one refresh token at once one is answered, and the session with all its tokens is over", async () => {
  const person = await platform.signUp();
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, () => platform.member.refreshSession({ refreshToken: person.refreshToken })),
  );
  const won = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  assert.equal(won.length, 1);
  const [winner] = won;
  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: winner!.refreshToken }));
  await refusedWith("SESSION_REVOKED", () =>
    platform.member.getCurrentMember({}, bearer(`Bearer ${winner!.accessToken}`)),
  );
  const { entries } = await auditLog({ memberId: person.id, kind: AuditKind.REFRESH_TOKEN_REUSED });
  assert.equal(entries.length, 1);
});

test("the audit log tells who did what, from where, and how it came out; only operators read it", async () => {
  const person = await platform.signUp();
  const wrong = { email: person.email, password: "wrong password" };
  await refusedWith("CREDENTIALS_INVALID", () => platform.member.createSession(wrong, from("198.51.100.9", "curl/8")));
  const desk = await logInFrom(person.email, "198.51.100.10", "desk");
  await platform.member.deleteSession({ sessionId: "current" }, desk);
  const suspension = { memberId: person.id, reason: "odd transfers" };
  await platform.member.suspendMember(suspension, bearer(platform.operatorAuthorization));
  await refusedWith("MEMBER_SUSPENDED", () => platform.logIn(person.email));

  const { entries } = await auditLog({ memberId: person.id });
  assert.deepEqual(
    entries.map(({ kind, outcome, address, userAgent, reason, actorId }) => [
      ...[AuditKindSchema.value[kind]?.localName, outcome, address, userAgent, reason],
      actorId === person.id ? "member" : actorId === "" ? "nobody" : "operator",
    ]),
    [
      ["LOG_IN", "MEMBER_SUSPENDED", "", "", "", "nobody"],
      ["MEMBER_SUSPENDED", "OK", "", "", "odd transfers", "operator"],
      ["SESSION_ENDED", "OK", "198.51.100.10", "desk", "", "member"],
      ["LOG_IN", "OK", "198.51.100.10", "desk", "", "member"],
      ["LOG_IN", "CREDENTIALS_INVALID", "198.51.100.9", "curl/8", "", "nobody"],
      ["LOG_IN", "OK", "", "", "", "member"],
    ],
  );
  assert.equal(entries[2]!.sessionId, entries[3]!.sessionId);

  const first = await auditLog({ memberId: person.id, kind: AuditKind.LOG_IN, pageSize: 3 });
  const second = await auditLog({ memberId: person.id, kind: AuditKind.LOG_IN, pageToken: first.nextPageToken });
  assert.deepEqual([first.entries.length, second.entries.length, second.nextPageToken], [3, 1, ""]);
  await refusedWith("PAGE_TOKEN_INVALID", () => auditLog({ pageToken: first.nextPageToken }));
  assert.ok((await auditLog({})).entries.length >= 6);

  const asMember = createRpcClient(AuditLogService, platform.anonymous);
  const stranger = await platform.signUp();
  await refusedWith("PERMISSION_DENIED", () => asMember.listAuditLogEntries({}, bearer(stranger.authorization)));
});

test("a log-in with an unknown email is told to the audit log without the email, which may be a password", async () => {
  const email = "my secret password";
  await refusedWith("CREDENTIALS_INVALID", () =>
    platform.member.createSession({ email, password: "x" }, from("198.51.100.20", "curl")),
  );
  const { entries } = await auditLog({ kind: AuditKind.LOG_IN });
  const entry = entries.find(({ address }) => address === "198.51.100.20");
  assert.deepEqual([entry?.memberId, entry?.outcome], ["", "CREDENTIALS_INVALID"]);
  const rows = await platform.database.query("SELECT 1 FROM audit_log WHERE audit_log::text LIKE '%secret password%'");
  assert.equal(rows.length, 0);
});

test("the database refuses to change or shorten the audit log, but for what is older than 400 days", async () => {
  await platform.signUp();
  for (const statement of [
    "UPDATE audit_log SET outcome = 'OK'",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "DELETE FROM audit_log WHERE recorded_at > now() - interval '399 days'",
  ])
    await assert.rejects(platform.database.query(statement), /only ever added/);
  await platform.database.query(
    `INSERT INTO audit_log SELECT gen_random_uuid(), kind, now() - interval '401 days', member_id, actor_id, session_id,
       api_client_id, address, user_agent, outcome, reason FROM audit_log LIMIT 1`,
  );
  const gone = await platform.database.query(
    "DELETE FROM audit_log WHERE recorded_at < now() - interval '400 days' RETURNING id",
  );
  assert.equal(gone.length, 1);
});

test("a token that was verified before its session ended is refused by a verifier as soon as it is told", async () => {
  const person = await platform.signUp();
  const { sessions } = await platform.member.listSessions({}, bearer(person.authorization));
  const keys = await platform.database.query<{ kid: string; public_key_pem: string }>(
    "SELECT kid, public_key_pem FROM signing_key",
  );
  const authority = createAuthorityState();
  const nothing = { suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  const known = keys.map(({ kid, public_key_pem: publicKeyPem }) => ({ kid, publicKeyPem }));
  authority.apply({ ...nothing, snapshot: true, keys: known });
  const authenticator = createAuthenticator({ audience: "ledger", authority, trustedServices: new Map() });
  authenticator.authenticate(person.authorization);
  authority.apply({ ...nothing, snapshot: false, keys: [], revokedSessionIds: [sessions[0]!.id] });
  assert.throws(() => authenticator.authenticate(person.authorization), { reason: "SESSION_REVOKED" });
});
