import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiClientService } from "@ferry/gen/ferry/member/v1/api_client_pb.ts";
import { AuditKind, AuditLogService } from "@ferry/gen/ferry/member/v1/audit_log_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createRpcClient, METADATA } from "@ferry/platform/rpc";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { bearer, type MemberPlatform, PASSWORD, refusedWith, startMembersAlone } from "../member.fixture.ts";
import { auditStore } from "./audit-store.ts";
import { guessStore } from "./guess-store.ts";
import { memberStore } from "./member-store.ts";
import { sessionStore } from "./session-store.ts";

/** Sessions, API clients and the audit log, by every route and filter. */
async function callEverythingNew({ member, anonymous, signUp, operatorAuthorization }: MemberPlatform) {
  const person = await signUp();
  const mine = bearer(person.authorization);
  const from = { headers: { [METADATA.clientAddress]: "192.0.2.1" } };
  await refusedWith("CREDENTIALS_INVALID", () => member.createSession({ email: person.email, password: "x" }, from));
  await member.createSession({ email: person.email, password: PASSWORD }, from);
  const first = await member.listSessions({ pageSize: 1 }, mine);
  await member.listSessions({ pageToken: first.nextPageToken }, mine);
  await member.revokeOtherSessions({}, mine);

  const clients = createRpcClient(ApiClientService, anonymous);
  const { apiClient, clientSecret } = await clients.createApiClient(
    { displayName: "x", scopes: ["members:read"] },
    mine,
  );
  const apiClientId = apiClient!.id;
  await clients.createToken({ grantType: "client_credentials", clientId: apiClientId, clientSecret });
  await clients.listApiClients({}, mine);
  await clients.getApiClient({ apiClientId }, mine);
  await clients.rotateApiClientSecret({ apiClientId }, mine);
  await clients.deleteApiClient({ apiClientId }, mine);
  await member.deleteSession({ sessionId: "current" }, mine);

  const log = createRpcClient(AuditLogService, anonymous);
  for (const filter of [{}, { memberId: person.id }, { kind: AuditKind.LOG_IN }]) {
    const page = await log.listAuditLogEntries({ ...filter, pageSize: 1 }, bearer(operatorAuthorization));
    await log.listAuditLogEntries({ ...filter, pageToken: page.nextPageToken }, bearer(operatorAuthorization));
  }
}

test("whatever a route asks about people and sessions goes by an index, once there are many", async (t) => {
  const platform = await startMembersAlone();
  t.after(() => platform.stop());
  const { member, database, operatorAuthorization } = platform;

  const asked = await statementsOf(database, async () => {
    const person = await platform.signUp();
    await refusedWith("EMAIL_TAKEN", () =>
      member.createMember({ email: person.email, password: PASSWORD, displayName: "Twin" }),
    );
    await member.getCurrentMember({}, bearer(person.authorization));
    await createRpcClient(MemberService, platform.transfer).batchGetMemberStates({ memberIds: [person.id] });
    await member.refreshSession({ refreshToken: person.refreshToken });
    await refusedWith("SESSION_REVOKED", () => member.refreshSession({ refreshToken: person.refreshToken }));
    await member.suspendMember({ memberId: person.id, reason: "seen" }, bearer(operatorAuthorization));
    await member.reinstateMember({ memberId: person.id, reason: "mended" }, bearer(operatorAuthorization));
    await callEverythingNew(platform);
    await platform.makeOperator({ email: person.email, displayName: "Boss", password: PASSWORD });
    // What a replica asks when it starts, and now and then.
    await memberStore.findSuspended(database);
    await sessionStore.findRevokedSince(database, new Date());
    await sessionStore.purge(database, new Date(0));
    await guessStore.purge(database, new Date(0));
    await auditStore.purge(database, new Date(0));
  });
  assert.ok(asked.size >= 40, `${asked.size} statements`);
  await assertIndexed(database, asked);
});
