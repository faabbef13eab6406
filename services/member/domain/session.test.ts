import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "./member.ts";
import { decideRefresh, type IssuedRefreshToken } from "./session.ts";

const now = new Date("2026-05-01T12:00:00Z");
const before = new Date(now.getTime() - 1);
const later = new Date(now.getTime() + 1);
const member: Member = {
  ...{ id: "m1", email: "a@example.com", displayName: "A", role: "member", state: "active" },
  ...{ version: 1n, createdAt: before },
};
const issued: IssuedRefreshToken = {
  ...{ sessionId: "s1", expiresAt: later, member },
  ...{ usedAt: undefined, sessionRevokedAt: undefined },
};
const suspended: Member = { ...member, state: "suspended" };

test("a fresh token of an active member is rotated", () => {
  assert.deepEqual(decideRefresh(issued, now), { kind: "rotate", sessionId: "s1", member });
});

test("a used token ends its session, whatever else holds", () => {
  for (const more of [{}, { expiresAt: before }, { member: suspended }]) {
    const used = { ...issued, usedAt: before, ...more };
    assert.deepEqual(decideRefresh(used, now), { kind: "revoke", sessionId: "s1", member: used.member });
  }
});

test("refusals name their reason", () => {
  const refusals: [IssuedRefreshToken | undefined, string][] = [
    [undefined, "TOKEN_INVALID"],
    [{ ...issued, expiresAt: now }, "TOKEN_EXPIRED"],
    [{ ...issued, sessionRevokedAt: before }, "SESSION_REVOKED"],
    [{ ...issued, sessionRevokedAt: before, usedAt: before }, "SESSION_REVOKED"],
    [{ ...issued, member: suspended }, "MEMBER_SUSPENDED"],
  ];
  for (const [token, reason] of refusals) assert.deepEqual(decideRefresh(token, now), { kind: "refuse", reason });
});
