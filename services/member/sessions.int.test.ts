import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MemberService, MemberState } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import type { FerryError } from "@ferry/platform/errors";
import { createRpcClient } from "@ferry/platform/rpc";
import { createCreateSession } from "./app/create-session.ts";
import { createGuesses } from "./app/guesses.ts";
import { NOWHERE } from "./domain/audit.ts";
import { bearer, type MemberPlatform, PASSWORD, refusedWith, startMembersAlone, until } from "./member.fixture.ts";
import { auditStore } from "./store/audit-store.ts";
import { guessStore } from "./store/guess-store.ts";
import { memberStore } from "./store/member-store.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { hashOfRefreshToken, makeRefreshToken } from "./store/refresh-token.ts";
import { sessionStore } from "./store/session-store.ts";

let platform: MemberPlatform;

before(async () => {
  platform = await startMembersAlone();
});

after(() => platform.stop());

test("who signs up can log in, in any spelling of the email, and is told who they are", async () => {
  const created = await platform.member.createMember({
    email: "Ada@Example.com",
    password: PASSWORD,
    displayName: "Ada",
  });
  assert.equal(created.member?.email, "ada@example.com");
  const { authorization, tokenType, expiresIn } = await platform.logIn("ADA@example.COM");
  assert.deepEqual([tokenType, expiresIn], ["Bearer", 600]);
  const me = await platform.member.getCurrentMember({}, bearer(authorization));
  assert.deepEqual(me.member, created.member);
  assert.equal(me.member?.state, MemberState.ACTIVE);
  const [row] = await platform.database.query<{ password_hash: string }>(
    "SELECT password_hash FROM member WHERE email = 'ada@example.com'",
  );
  assert.match(row!.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
});

test("an email is taken once, also by two who come at once", async () => {
  const request = { email: "twin@example.com", password: PASSWORD, displayName: "Twin" };
  const answers = await Promise.allSettled([
    platform.member.createMember(request),
    platform.member.createMember({ ...request, email: "TWIN@example.com" }),
  ]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await refusedWith("EMAIL_TAKEN", () => platform.member.createMember(request));
});

test("wrong password and unknown email get the same answer", async () => {
  const { email } = await platform.signUp();
  const wrong = await refusedWith("CREDENTIALS_INVALID", () => platform.logIn(email, "wrong password"));
  const unknown = await refusedWith("CREDENTIALS_INVALID", () => platform.logIn("nobody@example.com"));
  assert.equal(wrong.message, unknown.message);
});

test("a refresh token is good once; its second use ends the session, everywhere", async () => {
  const person = await platform.signUp();
  const second = await platform.member.refreshSession({ refreshToken: person.refreshToken });
  assert.notEqual(second.refreshToken, person.refreshToken);
  const authorization = `Bearer ${second.accessToken}`;
  await platform.member.getCurrentMember({}, bearer(authorization));
  const third = await platform.member.refreshSession({ refreshToken: second.refreshToken });

  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: person.refreshToken }));
  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: third.refreshToken }));
  await refusedWith("SESSION_REVOKED", () => platform.member.getCurrentMember({}, bearer(authorization)));
  const atOther = createRpcClient(MemberService, platform.otherReplica);
  await until(() =>
    atOther.getCurrentMember({}, bearer(authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
  await platform.logIn(person.email);
});

test("of two uses of one refresh token at once, one ends the session", async () => {
  const { refreshToken } = await platform.signUp();
  const answers = await Promise.allSettled([
    platform.member.refreshSession({ refreshToken }),
    platform.member.refreshSession({ refreshToken }),
  ]);
  const reasons = answers.map((answer) => (answer.status === "fulfilled" ? "ok" : answer.reason.reason));
  assert.deepEqual(reasons.sort(), ["SESSION_REVOKED", "ok"]);
});

test("what is no refresh token of ours is refused: access tokens, made-up ones, expired ones", async () => {
  const { accessToken, refreshToken } = await platform.signUp();
  const last = refreshToken.endsWith("A") ? "B" : "A";
  for (const bad of ["x", accessToken, refreshToken.slice(0, -1) + last])
    await refusedWith("TOKEN_INVALID", () => platform.member.refreshSession({ refreshToken: bad }));
  await platform.database.query(
    `UPDATE refresh_token SET expires_at = now() - interval '1 second'
     WHERE hash = sha256($1::text::bytea)`,
    [refreshToken],
  );
  await refusedWith("TOKEN_EXPIRED", () => platform.member.refreshSession({ refreshToken }));
  await refusedWith("TOKEN_INVALID", () => platform.member.getCurrentMember({}, bearer(`Bearer ${refreshToken}`)));
});

test("who becomes an operator gets a new password, and their open sessions end", async () => {
  const person = await platform.signUp();
  const made = await platform.makeOperator({ email: person.email, displayName: "ignored", password: "a new password" });
  assert.deepEqual(made, { kind: "promoted", id: person.id });
  await refusedWith("CREDENTIALS_INVALID", () => platform.logIn(person.email));
  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: person.refreshToken }));
  await until(() =>
    platform.member.getCurrentMember({}, bearer(person.authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
  const { authorization } = await platform.logIn(person.email, "a new password");
  const other = await platform.signUp();
  await platform.member.suspendMember({ memberId: other.id, reason: "by the new one" }, bearer(authorization));
});

test("who becomes an operator while the old password is looked at is not logged in by it", async () => {
  const { database, makeOperator, signUp } = platform;
  const person = await signUp();
  const passwords = createPasswordHasher();
  const logIn = createCreateSession({
    ...{ database, members: memberStore, sessions: sessionStore, audit: auditStore },
    passwords: {
      async verify(password, stored) {
        const isRight = await passwords.verify(password, stored);
        await makeOperator({ email: person.email, displayName: "x", password: "a new password" });
        return isRight;
      },
    },
    accessTokens: { sign: () => "an access token" },
    refreshTokens: { make: makeRefreshToken, hashOf: hashOfRefreshToken },
    guesses: createGuesses({ database, store: guessStore }),
  });
  const attempt = { email: person.email, password: PASSWORD, origin: NOWHERE };
  await refusedWith("CREDENTIALS_INVALID", () => logIn(attempt));
  const open = "SELECT id FROM session WHERE member_id = $1 AND revoked_at IS NULL";
  assert.deepEqual(await database.query(open, [person.id]), []);
});
