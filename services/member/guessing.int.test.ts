import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FerryError } from "@ferry/platform/errors";
import { METADATA } from "@ferry/platform/rpc";
import { createGuesses } from "./app/guesses.ts";
import { GUESS_LIMITS } from "./domain/guessing.ts";
import { type MemberPlatform, PASSWORD, refusedWith, startMembersAlone } from "./member.fixture.ts";
import { guessStore } from "./store/guess-store.ts";

let platform: MemberPlatform;

before(async () => {
  platform = await startMembersAlone();
});

after(() => platform.stop());

const tryFrom = (address: string, email: string, password: string) =>
  platform.member.createSession({ email, password }, { headers: { [METADATA.clientAddress]: address } });

/** How guesses at one subject after another come out: "taken", or the reason of the refusal. */
async function guess(subjects: readonly string[], addressOf: (index: number) => string) {
  const guesses = createGuesses({ database: platform.database, store: guessStore });
  const outcomes: string[] = [];
  for (const [index, subject] of subjects.entries())
    try {
      await (await guesses.begin(subject, addressOf(index))).wrong();
      outcomes.push("taken");
    } catch (error) {
      assert.ok(error instanceof FerryError);
      assert.ok(error.retryAfterMs! > 0 && error.retryAfterMs! <= GUESS_LIMITS.windowMs);
      outcomes.push(error.reason);
    }
  return outcomes;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test("after ten wrong passwords from one address even the right one is refused there, and taken elsewhere", async () => {
  const { email } = await platform.signUp();
  const attempts = await Promise.allSettled(times(14, 0).map(() => tryFrom("192.0.2.1", email, "wrong password")));
  const reasons = attempts.map((attempt) => attempt.status === "rejected" && attempt.reason.reason);
  // Many at once are no way around: they are counted before anybody looks at the password.
  assert.deepEqual(reasons.sort(), [...times(10, "CREDENTIALS_INVALID"), ...times(4, "RATE_LIMITED")]);
  const refusal = await refusedWith("RATE_LIMITED", () => tryFrom("192.0.2.1", email, PASSWORD));
  assert.ok(refusal.retryAfterMs! > 0);
  await tryFrom("192.0.2.2", email, PASSWORD);
});

test("an email that nobody has is limited in the same way, so that the limit tells nothing", async () => {
  for (let index = 0; index < 10; index++)
    await refusedWith("CREDENTIALS_INVALID", () => tryFrom("192.0.2.3", "nobody@example.com", "x"));
  await refusedWith("RATE_LIMITED", () => tryFrom("192.0.2.3", "NOBODY@example.com", "x"));
});

test("a right password makes up for wrong ones before it, and costs nothing", async () => {
  const { email } = await platform.signUp();
  for (let round = 0; round < 3; round++) {
    for (let index = 0; index < 6; index++)
      await refusedWith("CREDENTIALS_INVALID", () => tryFrom("192.0.2.4", email, "wrong password"));
    await tryFrom("192.0.2.4", email, PASSWORD);
  }
  for (let index = 0; index < 12; index++) await tryFrom("192.0.2.5", email, PASSWORD);
});

test("one email is guessed at fifty times in a window, from wherever", async () => {
  const outcomes = await guess(times(55, "a@example.com"), (index) => `198.51.100.${index}`);
  assert.deepEqual(outcomes, [...times(50, "taken"), ...times(5, "RATE_LIMITED")]);
});

test("one address guesses a hundred times in a window, at whomever; a network of IPv6 is one address", async () => {
  const emails = Array.from({ length: 105 }, (_, index) => `b${index}@example.com`);
  const outcomes = await guess(emails, (index) => `2001:db8:1:2::${index.toString(16)}`);
  assert.deepEqual(outcomes, [...times(100, "taken"), ...times(5, "RATE_LIMITED")]);
  assert.deepEqual(await guess(["c@example.com"], () => "2001:db8:1:3::1"), ["taken"]);
});

test("no subject is counted as another one at an address, however it is spelled", async () => {
  const [victim, home] = ["e@example.com", "192.0.2.7"];
  const odd = [`${victim} at ${home}`, `${victim}","${home}`, `["subject","${victim}","${home}"]`];
  for (const subject of odd) await guess(times(10, subject), () => "203.0.113.1");
  assert.deepEqual(await guess([victim], () => home), ["taken"]);
});

test("a window that is over counts no more, and is forgotten", async () => {
  await guess(times(10, "d@example.com"), () => "192.0.2.6");
  assert.deepEqual(await guess(["d@example.com"], () => "192.0.2.6"), ["RATE_LIMITED"]);
  await platform.database.query("UPDATE login_guess SET ends_at = now() - interval '1 second'");
  assert.deepEqual(await guess(["d@example.com"], () => "192.0.2.6"), ["taken"]);
  await platform.database.query("UPDATE login_guess SET ends_at = now() - interval '1 second'");
  await guessStore.purge(platform.database, new Date());
  assert.deepEqual(await platform.database.query("SELECT 1 FROM login_guess"), []);
});
