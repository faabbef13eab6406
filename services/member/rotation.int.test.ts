import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { AuthorityService } from "@ferry/gen/ferry/auth/v1/auth_pb.ts";
import { MemberService } from "@ferry/gen/ferry/member/v1/member_pb.ts";
import { createAuthenticator, createAuthorityState, watchAuthority } from "@ferry/platform/auth";
import { type Database, openDatabase } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { createRpcClient } from "@ferry/platform/rpc";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../test/support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { createKeyring } from "./keyring.ts";
import { bearer, memberTemplate, startMembers } from "./member.fixture.ts";

const DAY_MS = 86_400_000;
/** A slow machine is no refusal. */
const patient = { timeoutMs: 20_000 };
let made: TestDatabase;
let database: Database;

before(async () => {
  made = await createTestDatabase(memberTemplate);
  database = openDatabase({ url: made.url, ...PATIENT });
});

after(async () => {
  await database.close();
  await made.drop();
});

const kidOf = (accessToken: string): string =>
  JSON.parse(Buffer.from(accessToken.split(".")[0]!, "base64url").toString()).kid;

test("through two rotations, with calls all along at every replica and verifier, no token is refused", async (t) => {
  // Longer than a machine that stands still keeps the word of a new key from whoever verifies by it.
  const platform = await startMembers(made.url, 5_000);
  t.after(() => platform.stop());
  const { member } = platform;
  const atOther = createRpcClient(MemberService, platform.otherReplica);
  const watch = watchAuthority({ client: createRpcClient(AuthorityService, platform.transfer), logger });
  await watch.start!();
  t.after(() => watch.stop!());
  const authenticator = createAuthenticator({ audience: "ledger", authority: watch, trustedServices: new Map() });

  let { refreshToken, accessToken } = await platform.signUp();
  const oldest = bearer(`Bearer ${accessToken}`);
  let turns = 0;
  /** Each token is used everywhere as soon as it is there; the replicas take turns in making it. */
  async function callOnce(): Promise<string> {
    const issuer = turns++ % 2 === 0 ? member : atOther;
    ({ refreshToken, accessToken } = await issuer.refreshSession({ refreshToken }, patient));
    authenticator.authenticate(`Bearer ${accessToken}`);
    const fresh = bearer(`Bearer ${accessToken}`);
    const calls = [member, atOther].flatMap((replica) =>
      [fresh, oldest].map((credentials) => replica.getCurrentMember({}, { ...credentials, ...patient })),
    );
    await Promise.all(calls);
    return kidOf(accessToken);
  }

  const signedBy: string[] = [await callOnce()];
  for (let rotation = 0; rotation < 2; rotation++) {
    assert.equal(await platform.rotateKeys(), true);
    // Both replicas, one after the other: the second of two tokens in a row is by the new key too.
    for (let inARow = 0; inARow < 4; ) {
      const kid = await callOnce();
      inARow = kid === signedBy.at(-1) ? 0 : inARow + 1;
      if (inARow === 4) signedBy.push(kid);
    }
  }
  assert.equal(new Set(signedBy).size, 3);
  assert.ok(turns > 8, `${turns} turns`);
});

test("second by second through a rotation, on clocks that are apart, every token is good for its ten minutes", async () => {
  await database.query("DELETE FROM signing_key");
  const clock = { ms: Date.now() };
  const ringAt = (apartMs: number) =>
    createKeyring({ database, secret, rotateAfterMs: DAY_MS, now: () => new Date(clock.ms + apartMs) });
  const secret = randomBytes(32);
  // Replicas that hear of nothing and look every 15 s; one outside that keeps the keys for the minute that it may.
  const replicas = [ringAt(-5_000), ringAt(5_000)];
  const verifiers = [-5_000, 5_000].map((apartMs) => {
    const now = () => clock.ms + apartMs;
    const authority = createAuthorityState(now);
    const authenticator = createAuthenticator({ audience: "x", authority, trustedServices: new Map(), now });
    return { authority, authenticator };
  });
  const nothing = { suspendedMemberIds: [], reinstatedMemberIds: [], revokedSessionIds: [] };
  const tokens: { token: string; kid: string; madeAtMs: number }[] = [];
  const kids = new Set<string>();
  let last = { keys: 0, refused: 0 };

  async function second(index: number): Promise<void> {
    for (const [place, ring] of replicas.entries())
      if (index % 15 === place * 7 || index === 0) {
        await ring.rotate();
        last = { ...last, keys: (await ring.reload()).length };
      }
    if (index % 60 === 0) {
      const keys = await replicas[0]!.reload();
      for (const { authority } of verifiers) authority.apply({ ...nothing, snapshot: true, keys });
    }
    for (const ring of replicas) {
      const { kid } = ring.signer();
      kids.add(kid);
      const claims = { memberId: "m1", sessionId: "s1", role: "member" } as const;
      tokens.push({ token: `Bearer ${ring.signer().sign(claims, clock.ms)}`, kid, madeAtMs: clock.ms });
    }
    for (const age of [0, 1, 60, 300, 599]) {
      const aged = tokens.filter(({ madeAtMs }) => madeAtMs === clock.ms - age * 1_000);
      for (const { authenticator } of verifiers) for (const { token } of aged) authenticator.authenticate(token);
    }
    clock.ms += 1_000;
  }

  await Promise.all([replicas[0]!.rotate(), replicas[1]!.rotate()]);
  for (let index = 0; index < 700; index++) await second(index);
  clock.ms += DAY_MS - 700_000 - 60_000;
  tokens.length = 0;
  for (let index = 0; index < 900; index++) await second(index);
  assert.equal(kids.size, 2, "the key was rotated once");
  assert.equal(last.keys, 1, "the former key is gone");
  const [former] = kids;
  const ofFormer = tokens.filter(({ kid }) => kid === former);
  assert.ok(ofFormer.length > 100);
  for (const { authenticator } of verifiers)
    assert.throws(() => authenticator.authenticate(ofFormer.at(-1)!.token), FerryError);
});
