import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type AuthorityChange, createAuthenticator, createAuthorityState } from "@ferry/platform/auth";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { createMemberAuthority } from "./authority.ts";
import { NOWHERE } from "./domain/audit.ts";
import { createKeyring } from "./keyring.ts";
import { keyStore } from "./store/key-store.ts";
import { memberStore } from "./store/member-store.ts";
import { memberMigrations } from "./store/migrations.ts";
import { sessionStore } from "./store/session-store.ts";

const DAY_MS = 86_400_000;
const secret = randomBytes(32);
let database: Database;
let url: string;
let drop: () => Promise<void>;

before(async () => {
  const run = (to: string) => migrate(to, [memberMigrations]);
  ({ url, drop } = await createTestDatabase({ name: "member_authority", run }));
  database = openDatabase({ url, ...PATIENT });
});

after(async () => {
  await database.close();
  await drop();
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "the condition did not come true");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function insertMember(): Promise<string> {
  const id = newUuid();
  const passwordHash = "none";
  await memberStore.insert(database, {
    id,
    email: `${id}@example.com`,
    displayName: "A",
    passwordHash,
    role: "member",
  });
  return id;
}

/** Forgets all keys, and gives keyrings on a clock that the test moves. */
async function setUpKeys() {
  await database.query("DELETE FROM signing_key");
  const clock = { ms: Date.now() };
  const now = () => new Date(clock.ms);
  const open = (sealedUnder = secret) =>
    createKeyring({ database, secret: sealedUnder, rotateAfterMs: 30 * DAY_MS, now });
  return { clock, open, now };
}

test("of keyrings that start at once one makes the first key, and all sign with it", async () => {
  const { open } = await setUpKeys();
  const rings = [open(), open(), open()];
  assert.throws(() => rings[0]!.signer(), { reason: "UNAVAILABLE" });
  const made = await Promise.all(rings.map((ring) => ring.rotate()));
  assert.equal(made.filter(Boolean).length, 1);
  for (const ring of rings) await ring.reload();
  assert.equal(new Set(rings.map((ring) => ring.signer().kid)).size, 1);
});

test("a rotation publishes first, signs later, and keeps the former key until its last token has expired", async () => {
  const { clock, open, now } = await setUpKeys();
  const ring = open();
  await ring.rotate();
  await ring.reload();
  const former = ring.signer();
  clock.ms += 29 * DAY_MS;
  assert.equal(await ring.rotate(), false);
  clock.ms += DAY_MS;
  assert.equal(await ring.rotate(), true);
  assert.equal(await ring.rotate(), false);
  assert.equal((await ring.reload()).length, 2);
  assert.equal(ring.signer(), former);
  clock.ms += 119_000;
  assert.equal(ring.signer(), former);
  const claims = { memberId: "m1", sessionId: "s1", role: "member" } as const;
  const lastToken = `Bearer ${former.sign(claims, clock.ms)}`;
  clock.ms += 1_000;
  assert.notEqual(ring.signer().kid, former.kid);

  clock.ms += 598_000;
  const authority = createAuthorityState(() => clock.ms);
  const lists = { suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  authority.apply({ snapshot: true, keys: await ring.reload(), ...lists });
  const trustedServices = new Map();
  const authenticator = createAuthenticator({ audience: "x", authority, trustedServices, now: () => clock.ms });
  assert.equal(authenticator.authenticate(lastToken).id, "m1");
  clock.ms += 25_000;
  assert.deepEqual(
    (await ring.reload()).map(({ kid }) => kid),
    [ring.signer().kid],
  );
  clock.ms += 30 * DAY_MS;
  await ring.rotate();
  const rows = await database.query("SELECT kid FROM signing_key");
  assert.equal(rows.length, (await keyStore.findGood(database, now())).length, "what has ended is deleted");
});

test("another secret cannot open the keys, and says which variable is wrong", async () => {
  const { open } = await setUpKeys();
  await open().rotate();
  await assert.rejects(open(randomBytes(32)).reload(), /FERRY_MEMBER_KEY_SECRET/);
});

test("what happened without a notice is found in the next round, and told to who watches", async () => {
  await database.query("DELETE FROM signing_key");
  const [before, during] = [await insertMember(), await insertMember()];
  const suspend = (id: string) => database.query("UPDATE member SET state = 'suspended' WHERE id = $1", [id]);
  const reinstate = (id: string) => database.query("UPDATE member SET state = 'active' WHERE id = $1", [id]);
  const sessionId = newUuid();
  const now = new Date();
  await database.transaction(async (tx) => {
    const expiresAt = new Date(now.getTime() + DAY_MS);
    await sessionStore.open(tx, { id: sessionId, memberId: before, now, expiresAt, origin: NOWHERE });
  });
  await suspend(before);
  const keyring = createKeyring({ database, secret, rotateAfterMs: DAY_MS });
  const authority = createMemberAuthority({ database, keyring, logger, reloadMs: 20 });
  await authority.start!();
  assert.equal(authority.unready(), undefined);
  assert.deepEqual([authority.isSuspended(before), authority.isSuspended(during)], [true, false]);

  const heard: AuthorityChange[] = [];
  const stopped = new AbortController();
  const watching = (async () => {
    for await (const change of authority.watch(stopped.signal)) heard.push(change);
  })();
  await suspend(during);
  await reinstate(before);
  await database.transaction((tx) => sessionStore.revoke(tx, sessionId, now));
  await keyring.rotate(true);
  await until(() => heard.some(({ revokedSessionIds }) => revokedSessionIds.includes(sessionId)));
  await until(() => heard.some(({ snapshot, keys }) => !snapshot && keys.length === 2));
  stopped.abort();
  await watching;
  assert.equal(heard[0]?.snapshot, true);
  assert.deepEqual([heard[0]?.keys.length, heard[0]?.suspendedMemberIds.includes(before)], [1, true]);
  assert.ok(heard.some(({ suspendedMemberIds }) => suspendedMemberIds.includes(during)));
  assert.ok(heard.some(({ reinstatedMemberIds }) => reinstatedMemberIds.includes(before)));
  assert.deepEqual([authority.isSuspended(before), authority.isSuspended(during)], [false, true]);
  await authority.stop!();
});

test("a stop ends every watch", async () => {
  const keyring = createKeyring({ database, secret: secret, rotateAfterMs: DAY_MS });
  const authority = createMemberAuthority({ database, keyring, logger });
  await authority.start!();
  let changes = 0;
  const watching = (async () => {
    for await (const _ of authority.watch(new AbortController().signal)) changes++;
  })();
  await until(() => changes === 1);
  await authority.stop!();
  await watching;
});

test("old tokens and sessions are purged, live ones stay", async () => {
  const memberId = await insertMember();
  const now = new Date();
  const sessions = [-1, 1].map((days) => ({ id: newUuid(), expiresAt: new Date(now.getTime() + days * DAY_MS) }));
  await database.transaction(async (tx) => {
    for (const { id, expiresAt } of sessions) {
      await sessionStore.open(tx, { id, memberId, now, expiresAt, origin: NOWHERE });
      await sessionStore.addToken(tx, { hash: randomBytes(32), sessionId: id, expiresAt });
    }
  });
  assert.equal(await sessionStore.purge(database, now), 2);
  const left = await database.query<{ id: string }>(
    "SELECT s.id FROM session s JOIN refresh_token t ON t.session_id = s.id WHERE s.member_id = $1",
    [memberId],
  );
  assert.deepEqual(left, [{ id: sessions[1]!.id }]);
});
