import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import {
  MemberReinstatedSchema,
  MemberService,
  MemberState,
  MemberSuspendedSchema,
} from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createAuthenticator, watchAuthority } from "@ferry/platform/auth";
import type { FerryError } from "@ferry/platform/errors";
import { createRpcClient } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import {
  bearer,
  type MemberPlatform,
  refusedWith,
  startMembersAlone,
  trustedServices,
  until,
} from "./member.fixture.ts";

let platform: MemberPlatform;

before(async () => {
  platform = await startMembersAlone();
});

after(() => platform.stop());

test("a suspension holds at once on every replica, is audited, told by event, and can be lifted", async () => {
  const person = await platform.signUp();
  const asOperator = bearer(platform.operatorAuthorization);
  const request = { memberId: person.id, reason: "odd transfers" };
  await refusedWith("PERMISSION_DENIED", () => platform.member.suspendMember(request, bearer(person.authorization)));
  await refusedWith("UNAUTHENTICATED", () => platform.member.suspendMember(request));

  const suspended = await platform.member.suspendMember(request, asOperator);
  assert.equal(suspended.member?.state, MemberState.SUSPENDED);
  await refusedWith("MEMBER_SUSPENDED", () => platform.member.getCurrentMember({}, bearer(person.authorization)));
  await refusedWith("MEMBER_SUSPENDED", () => platform.member.refreshSession({ refreshToken: person.refreshToken }));
  await refusedWith("MEMBER_SUSPENDED", () => platform.logIn(person.email));
  await refusedWith("CREDENTIALS_INVALID", () => platform.logIn(person.email, "wrong password"));
  const atOther = createRpcClient(MemberService, platform.otherReplica);
  await until(() =>
    atOther.getCurrentMember({}, bearer(person.authorization)).then(
      () => false,
      (error: FerryError) => error.reason === "MEMBER_SUSPENDED",
    ),
  );

  await platform.member.suspendMember({ ...request, reason: "again" }, asOperator);
  await platform.member.reinstateMember({ ...request, reason: "all clear" }, asOperator);
  await platform.member.getCurrentMember({}, bearer(person.authorization));
  await platform.member.refreshSession({ refreshToken: person.refreshToken });

  const mine = () => platform.events.filter(({ key }) => key === person.id);
  await until(() => mine().length === 2);
  const [first, second] = mine();
  const event = fromBinary(MemberSuspendedSchema, first!.value!);
  assert.deepEqual([event.memberId, event.reason, event.version], [person.id, "odd transfers", 2n]);
  assert.equal(fromBinary(MemberReinstatedSchema, second!.value!).version, 3n);
  const audit = await platform.database.query(
    `SELECT a.kind, a.reason, o.email FROM audit_log a JOIN member o ON o.id = a.actor_id
     WHERE a.member_id = $1 AND a.kind LIKE 'MEMBER_%' ORDER BY a.id`,
    [person.id],
  );
  assert.deepEqual(audit, [
    { kind: "MEMBER_SUSPENDED", reason: "odd transfers", email: "boss@example.com" },
    { kind: "MEMBER_REINSTATED", reason: "all clear", email: "boss@example.com" },
  ]);
});

test("a member who does not exist cannot be suspended", async () => {
  const request = { memberId: "01890000-0000-7000-8000-000000000000", reason: "why not" };
  await refusedWith("NOT_FOUND", () => platform.member.suspendMember(request, bearer(platform.operatorAuthorization)));
});

test("services learn states by the set, and members may not ask", async () => {
  const [a, b] = [await platform.signUp(), await platform.signUp()];
  await platform.member.suspendMember({ memberId: b.id, reason: "test" }, bearer(platform.operatorAuthorization));
  const unknown = "01890000-0000-7000-8000-000000000000";
  const asTransfer = createRpcClient(MemberService, platform.transfer);
  const { states } = await asTransfer.batchGetMemberStates({ memberIds: [a.id, b.id, unknown] });
  assert.deepEqual(states, { [a.id]: MemberState.ACTIVE, [b.id]: MemberState.SUSPENDED });
  await refusedWith("PERMISSION_DENIED", () =>
    platform.member.batchGetMemberStates({ memberIds: [a.id] }, bearer(a.authorization)),
  );
});

test("a verifier that watches one replica hears what another one did, and verifies tokens by its keys", async (t) => {
  const person = await platform.signUp();
  const watch = watchAuthority({ client: createRpcClient(AuthorityService, platform.otherReplica), logger });
  t.after(() => watch.stop!());
  await watch.start!();
  const authenticator = createAuthenticator({ audience: "transfer", authority: watch, trustedServices });
  const principal = authenticator.authenticate(person.authorization);
  assert.deepEqual([principal.kind, principal.id], ["member", person.id]);
  assert.equal(authenticator.authenticate(platform.operatorAuthorization).kind, "operator");

  const asOperator = bearer(platform.operatorAuthorization);
  await platform.member.suspendMember({ memberId: person.id, reason: "test" }, asOperator);
  await until(() => watch.isSuspended(person.id));
  await platform.member.reinstateMember({ memberId: person.id, reason: "test" }, asOperator);
  await until(() => !watch.isSuspended(person.id));

  await platform.member.refreshSession({ refreshToken: person.refreshToken });
  await refusedWith("SESSION_REVOKED", () => platform.member.refreshSession({ refreshToken: person.refreshToken }));
  await until(() => watch.isRevoked(principal.sessionId!));
  assert.throws(() => authenticator.authenticate(person.authorization), { reason: "SESSION_REVOKED" });
});

test("the authority is not shown to members, nor to nobody", async () => {
  const { authorization } = await platform.signUp();
  const anonymous = createRpcClient(AuthorityService, platform.anonymous);
  const first = async (options?: { headers: { authorization: string } }) => {
    for await (const change of anonymous.watchAuthority({}, options)) return change;
  };
  await refusedWith("UNAUTHENTICATED", () => first());
  await refusedWith("PERMISSION_DENIED", () => first(bearer(authorization)));
});

test("two replicas that started at once made one signing key, sealed", async () => {
  const keys = await platform.database.query<{ kid: string; sealed_private_key: Buffer }>(
    "SELECT kid, sealed_private_key FROM signing_key",
  );
  assert.equal(keys.length, 1);
  assert.equal(keys[0]!.sealed_private_key.includes("PRIVATE KEY"), false);
});

test("what a replica of the release before writes about a suspension is in the audit log too", async () => {
  const { id } = await platform.signUp();
  await platform.database.query(
    `INSERT INTO suspension_audit (id, member_id, operator_id, state, reason, version, recorded_at)
     VALUES (gen_random_uuid(), $1, $1, 'suspended', 'as before', 2, now())`,
    [id],
  );
  const rows = await platform.database.query(
    "SELECT kind, reason FROM audit_log WHERE member_id = $1 AND reason <> ''",
    [id],
  );
  assert.deepEqual(rows, [{ kind: "MEMBER_SUSPENDED", reason: "as before" }]);
});
