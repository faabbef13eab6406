import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import {
  MemberReinstatedSchema,
  MemberService,
  MemberState,
  MemberSuspendedSchema,
} from "@ferry/gen/ferry/member/v1/member_pb.ts";
import {
  createAuthenticator,
  createServiceIdentity,
  generateKeyPair,
  trustedServicesJson,
  watchAuthority,
} from "@ferry/platform/auth";
import { type Database, migrate, openDatabase } from "@ferry/platform/db";
import type { FerryError, Reason } from "@ferry/platform/errors";
import { createMemoryBus, type ReceivedRecord } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient, createRpcServer, openChannel, type RpcChannel } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createMakeOperator } from "./app/make-operator.ts";
import { createMemberService } from "./service.ts";
import { memberStore } from "./store/member-store.ts";
import { memberMigrations } from "./store/migrations.ts";
import { notify } from "./store/notices.ts";
import { createPasswordHasher } from "./store/password-hash.ts";
import { sessionStore } from "./store/session-store.ts";

const PASSWORD = "correct horse";
const transferKeys = generateKeyPair();
const trustedServices = trustedServicesJson(new Map([["transfer", transferKeys.privateKeyPem]]));
const identity = createServiceIdentity({ name: "transfer", privateKeyPem: transferKeys.privateKeyPem });
const config = { keySecret: randomBytes(32), rotateAfterMs: 86_400_000 };
const bus = createMemoryBus();
const events: ReceivedRecord[] = [];
const parts: Component[] = [];
const channels: RpcChannel[] = [];
let url: string;
let database: Database;
let drop: () => Promise<void>;
let member: Client<typeof MemberService>;
let transfer: RpcChannel;
let otherReplica: RpcChannel;
let operatorAuthorization: string;

/** A replica of the member service, whole: its own pool, its rpc server, on the database that all share. */
async function startReplica() {
  const db = openDatabase({ url });
  const outbox = createOutbox({ database: db, bus, source: "ferry/member", logger });
  const service = createMemberService({ database: db, outbox, logger, config });
  const { authority } = service;
  const server = createRpcServer({
    service: "member",
    port: 0,
    routes: service.routes,
    authenticator: createAuthenticator({ audience: "member", authority, trustedServices }),
    logger,
    build: { service: "member", version: "0", commit: "none", buildTime: "none" },
  });
  const pool: Component = { name: "pool", stop: () => db.close() };
  for (const part of [pool, outbox, authority, server, ...service.components]) {
    await part.start?.();
    parts.push(part);
  }
  return { address: `http://127.0.0.1:${server.port}`, db };
}

function channelTo(address: string, caller?: typeof identity): RpcChannel {
  const channel = openChannel({ url: address, audience: "member", identity: caller, logger });
  channels.push(channel);
  return channel;
}

before(async () => {
  const run = (to: string) => migrate(to, [outboxMigrations, memberMigrations]);
  ({ url, drop } = await createTestDatabase({ name: "member_service", run }));
  const [first, second] = await Promise.all([startReplica(), startReplica()]);
  database = first.db;
  member = createRpcClient(MemberService, channelTo(first.address));
  transfer = channelTo(first.address, identity);
  otherReplica = channelTo(second.address, identity);
  await bus.subscribe({
    group: "test",
    topics: ["ferry.member.events.v1"],
    handle: async (set) => void events.push(...set),
  });
  const makeOperator = createMakeOperator({
    database,
    members: memberStore,
    sessions: sessionStore,
    passwords: createPasswordHasher(),
    notifyAll: (tx) => notify(tx, { kind: "all" }),
  });
  await makeOperator({ email: "Boss@example.com", displayName: "Boss", password: PASSWORD });
  operatorAuthorization = (await logIn("boss@example.com")).authorization;
});

after(async () => {
  for (const channel of channels) channel.close();
  for (const part of parts.reverse()) await part.stop?.();
  await bus.close();
  await drop();
});

const bearer = (authorization: string) => ({ headers: { authorization } });

async function logIn(email: string, password = PASSWORD) {
  const tokens = await member.createSession({ email, password });
  return { ...tokens, authorization: `Bearer ${tokens.accessToken}` };
}

let count = 0;
async function signUp() {
  const email = `person${++count}@example.com`;
  const created = await member.createMember({ email, password: PASSWORD, displayName: "A Person" });
  return { id: created.member!.id, email, ...(await logIn(email)) };
}

async function refusedWith(reason: Reason, call: () => Promise<unknown>): Promise<FerryError> {
  let caught: FerryError | undefined;
  await assert.rejects(call, (error: FerryError) => {
    caught = error;
    assert.equal(error.reason, reason, error.message);
    return true;
  });
  return caught!;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, "the condition did not come true");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("who signs up can log in, in any spelling of the email, and is told who they are", async () => {
  const created = await member.createMember({ email: "Ada@Example.com", password: PASSWORD, displayName: "Ada" });
  assert.equal(created.member?.email, "ada@example.com");
  const { authorization, tokenType, expiresIn } = await logIn("ADA@example.COM");
  assert.deepEqual([tokenType, expiresIn], ["Bearer", 600]);
  const me = await member.getCurrentMember({}, bearer(authorization));
  assert.deepEqual(me.member, created.member);
  assert.equal(me.member?.state, MemberState.ACTIVE);
  const [row] = await database.query<{ password_hash: string }>(
    "SELECT password_hash FROM member WHERE email = 'ada@example.com'",
  );
  assert.match(row!.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
});

test("an email is taken once, also by two who come at once", async () => {
  const request = { email: "twin@example.com", password: PASSWORD, displayName: "Twin" };
  const answers = await Promise.allSettled([
    member.createMember(request),
    member.createMember({ ...request, email: "TWIN@example.com" }),
  ]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await refusedWith("EMAIL_TAKEN", () => member.createMember(request));
});

test("wrong password and unknown email get the same answer", async () => {
  const { email } = await signUp();
  const wrong = await refusedWith("CREDENTIALS_INVALID", () => logIn(email, "wrong password"));
  const unknown = await refusedWith("CREDENTIALS_INVALID", () => logIn("nobody@example.com"));
  assert.equal(wrong.message, unknown.message);
});

test("a refresh token is good once; its second use ends the session, everywhere", async () => {
  const person = await signUp();
  const second = await member.refreshSession({ refreshToken: person.refreshToken });
  assert.notEqual(second.refreshToken, person.refreshToken);
  const authorization = `Bearer ${second.accessToken}`;
  await member.getCurrentMember({}, bearer(authorization));
  const third = await member.refreshSession({ refreshToken: second.refreshToken });

  await refusedWith("SESSION_REVOKED", () => member.refreshSession({ refreshToken: person.refreshToken }));
  await refusedWith("SESSION_REVOKED", () => member.refreshSession({ refreshToken: third.refreshToken }));
  await refusedWith("SESSION_REVOKED", () => member.getCurrentMember({}, bearer(authorization)));
  const atOther = createRpcClient(MemberService, otherReplica);
  await until(() =>
    atOther.getCurrentMember({}, bearer(authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
  await logIn(person.email);
});

test("of two uses of one refresh token at once, one ends the session", async () => {
  const { refreshToken } = await signUp();
  const answers = await Promise.allSettled([
    member.refreshSession({ refreshToken }),
    member.refreshSession({ refreshToken }),
  ]);
  const reasons = answers.map((answer) => (answer.status === "fulfilled" ? "ok" : answer.reason.reason));
  assert.deepEqual(reasons.sort(), ["SESSION_REVOKED", "ok"]);
});

test("what is no refresh token of ours is refused: access tokens, made-up ones, expired ones", async () => {
  const { accessToken, refreshToken } = await signUp();
  const last = refreshToken.endsWith("A") ? "B" : "A";
  for (const bad of ["x", accessToken, refreshToken.slice(0, -1) + last])
    await refusedWith("TOKEN_INVALID", () => member.refreshSession({ refreshToken: bad }));
  await database.query(
    `UPDATE refresh_token SET expires_at = now() - interval '1 second'
     WHERE hash = sha256($1::text::bytea)`,
    [refreshToken],
  );
  await refusedWith("TOKEN_EXPIRED", () => member.refreshSession({ refreshToken }));
  await refusedWith("TOKEN_INVALID", () => member.getCurrentMember({}, bearer(`Bearer ${refreshToken}`)));
});

test("a suspension holds at once on every replica, is audited, told by event, and can be lifted", async () => {
  const person = await signUp();
  const asOperator = bearer(operatorAuthorization);
  const request = { memberId: person.id, reason: "odd transfers" };
  await refusedWith("PERMISSION_DENIED", () => member.suspendMember(request, bearer(person.authorization)));
  await refusedWith("UNAUTHENTICATED", () => member.suspendMember(request));

  const suspended = await member.suspendMember(request, asOperator);
  assert.equal(suspended.member?.state, MemberState.SUSPENDED);
  await refusedWith("MEMBER_SUSPENDED", () => member.getCurrentMember({}, bearer(person.authorization)));
  await refusedWith("MEMBER_SUSPENDED", () => member.refreshSession({ refreshToken: person.refreshToken }));
  await refusedWith("MEMBER_SUSPENDED", () => logIn(person.email));
  await refusedWith("CREDENTIALS_INVALID", () => logIn(person.email, "wrong password"));
  const atOther = createRpcClient(MemberService, otherReplica);
  await until(() =>
    atOther.getCurrentMember({}, bearer(person.authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "MEMBER_SUSPENDED",
    ),
  );

  await member.suspendMember({ ...request, reason: "again" }, asOperator);
  await member.reinstateMember({ ...request, reason: "all clear" }, asOperator);
  await member.getCurrentMember({}, bearer(person.authorization));
  await member.refreshSession({ refreshToken: person.refreshToken });

  const mine = () => events.filter(({ key }) => key === person.id);
  await until(() => mine().length === 2);
  const [first, second] = mine();
  const event = fromBinary(MemberSuspendedSchema, first!.value!);
  assert.deepEqual([event.memberId, event.reason, event.version], [person.id, "odd transfers", 2n]);
  assert.equal(fromBinary(MemberReinstatedSchema, second!.value!).version, 3n);
  const audit = await database.query(
    `SELECT a.state, a.reason, o.email FROM suspension_audit a JOIN member o ON o.id = a.operator_id
     WHERE a.member_id = $1 ORDER BY a.version`,
    [person.id],
  );
  assert.deepEqual(audit, [
    { state: "suspended", reason: "odd transfers", email: "boss@example.com" },
    { state: "active", reason: "all clear", email: "boss@example.com" },
  ]);
});

test("a member who does not exist cannot be suspended", async () => {
  const request = { memberId: "01890000-0000-7000-8000-000000000000", reason: "why not" };
  await refusedWith("NOT_FOUND", () => member.suspendMember(request, bearer(operatorAuthorization)));
});

test("services learn states by the set, and members may not ask", async () => {
  const [a, b] = [await signUp(), await signUp()];
  await member.suspendMember({ memberId: b.id, reason: "test" }, bearer(operatorAuthorization));
  const unknown = "01890000-0000-7000-8000-000000000000";
  const asTransfer = createRpcClient(MemberService, transfer);
  const { states } = await asTransfer.batchGetMemberStates({ memberIds: [a.id, b.id, unknown] });
  assert.deepEqual(states, { [a.id]: MemberState.ACTIVE, [b.id]: MemberState.SUSPENDED });
  await refusedWith("PERMISSION_DENIED", () =>
    member.batchGetMemberStates({ memberIds: [a.id] }, bearer(a.authorization)),
  );
});

test("a verifier that watches one replica hears what another one did, and verifies tokens by its keys", async () => {
  const person = await signUp();
  const watch = watchAuthority({ client: createRpcClient(AuthorityService, otherReplica), logger });
  await watch.start!();
  const authenticator = createAuthenticator({ audience: "transfer", authority: watch, trustedServices });
  const principal = authenticator.authenticate(person.authorization);
  assert.deepEqual([principal.kind, principal.id], ["member", person.id]);
  assert.equal(authenticator.authenticate(operatorAuthorization).kind, "operator");

  const asOperator = bearer(operatorAuthorization);
  await member.suspendMember({ memberId: person.id, reason: "test" }, asOperator);
  await until(() => watch.isSuspended(person.id));
  await member.reinstateMember({ memberId: person.id, reason: "test" }, asOperator);
  await until(() => !watch.isSuspended(person.id));

  await member.refreshSession({ refreshToken: person.refreshToken });
  await refusedWith("SESSION_REVOKED", () => member.refreshSession({ refreshToken: person.refreshToken }));
  await until(() => watch.isRevoked(principal.sessionId!));
  assert.throws(() => authenticator.authenticate(person.authorization), { reason: "SESSION_REVOKED" });
  await watch.stop!();
});

test("the authority is not shown to members, nor to nobody", async () => {
  const { authorization } = await signUp();
  const anonymous = createRpcClient(AuthorityService, channels[0]!);
  const first = async (options?: { headers: { authorization: string } }) => {
    for await (const change of anonymous.watchAuthority({}, options)) return change;
  };
  await refusedWith("UNAUTHENTICATED", () => first());
  await refusedWith("PERMISSION_DENIED", () => first(bearer(authorization)));
});

test("two replicas that started at once made one signing key, sealed", async () => {
  const keys = await database.query<{ kid: string; sealed_private_key: Buffer }>(
    "SELECT kid, sealed_private_key FROM signing_key",
  );
  assert.equal(keys.length, 1);
  assert.equal(keys[0]!.sealed_private_key.includes("PRIVATE KEY"), false);
});

test("who becomes an operator gets a new password, and their open sessions end", async () => {
  const person = await signUp();
  const makeOperator = createMakeOperator({
    database,
    members: memberStore,
    sessions: sessionStore,
    passwords: createPasswordHasher(),
    notifyAll: (tx) => notify(tx, { kind: "all" }),
  });
  const made = await makeOperator({ email: person.email, displayName: "ignored", password: "a new password" });
  assert.deepEqual(made, { kind: "promoted", id: person.id });
  await refusedWith("CREDENTIALS_INVALID", () => logIn(person.email));
  await refusedWith("SESSION_REVOKED", () => member.refreshSession({ refreshToken: person.refreshToken }));
  await until(() =>
    member.getCurrentMember({}, bearer(person.authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "SESSION_REVOKED",
    ),
  );
  const { authorization } = await logIn(person.email, "a new password");
  const other = await signUp();
  await member.suspendMember({ memberId: other.id, reason: "by the new one" }, bearer(authorization));
});
