import assert from "node:assert/strict";
import { test } from "node:test";
import { decideState, type Member, normalizeEmail } from "./member.ts";

const member: Member = {
  ...{ id: "m1", email: "a@example.com", displayName: "A", role: "member", state: "active" },
  ...{ version: 4n, createdAt: new Date(0) },
};

test("spellings of one email are one email", () => {
  assert.equal(normalizeEmail("Ada.L@Example.COM"), "ada.l@example.com");
  assert.equal(normalizeEmail("JOSE\u0301@example.com"), normalizeEmail("jos\u00e9@example.com"));
  assert.notEqual(normalizeEmail("ada@example.com"), normalizeEmail("adal@example.com"));
});

test("a change of state raises the version; what is so already stays as it is", () => {
  const changed = decideState(member, "suspended");
  assert.deepEqual(changed, { kind: "changed", member: { ...member, state: "suspended", version: 5n } });
  assert.deepEqual(decideState(member, "active"), { kind: "unchanged", member });
  assert.deepEqual(decideState(changed.member, "suspended"), { kind: "unchanged", member: changed.member });
});
