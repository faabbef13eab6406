import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { migrate } from "@ferry/platform/db";
import { outboxMigrations } from "@ferry/platform/outbox";
import { createRpcClient } from "@ferry/platform/rpc";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { bearer, PASSWORD, refusedWith, startMembers } from "../member.fixture.ts";
import { memberStore } from "./member-store.ts";
import { memberMigrations } from "./migrations.ts";
import { sessionStore } from "./session-store.ts";

test("whatever a route asks about people and sessions goes by an index, once there are many", async (t) => {
  const run = (to: string) => migrate(to, [outboxMigrations, memberMigrations]);
  const { url, drop } = await createTestDatabase({ name: "member_service", run });
  const platform = await startMembers(url);
  t.after(async () => {
    await platform.stop();
    await drop();
  });
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
    await platform.makeOperator({ email: person.email, displayName: "Boss", password: PASSWORD });
    // What a replica asks when it starts, and now and then.
    await memberStore.findSuspended(database);
    await sessionStore.findRevokedSince(database, new Date());
    await sessionStore.purge(database, new Date(0));
  });
  assert.ok(asked.size >= 14, `${asked.size} statements`);
  await assertIndexed(database, asked);
});
