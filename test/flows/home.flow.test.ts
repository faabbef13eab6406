// What a first screen shows, through the edge of a whole platform, also while one of its services stands still: a
// process that is killed is back before its callers notice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createFerryClient } from "@ferry/client";
import { EdgeCaller, toBank } from "../support/client.ts";
import { Platform, waitFor } from "../support/platform.ts";

let platform: Platform;

before(async () => {
  platform = await Platform.start();
});
after(() => platform?.stop());

test("home tells what the member has; while payment stands still it lacks the payments alone", async () => {
  const edge = new EdgeCaller(platform.edge);
  const member = await edge.signUp();
  const account = await edge.openAccount(member.token);
  assert.equal((await edge.topUp(member.token, account, "1000")).state, "TOP_UP_STATE_COMPLETED");
  await edge.transfer(member.token, toBank(account, "2200001234", "400"), { waitSeconds: 20 });

  const ferry = createFerryClient({ baseUrl: platform.edge, tokens: { accessToken: () => member.token } });
  /** A part that was not told in time, as where the machine stood still, is missing: another look shows what home tells. */
  const homeThatLacks = (...parts: string[]) =>
    waitFor(`home to lack ${parts.join() || "nothing"}`, async () => {
      const home = await ferry.home.getHome().catch(() => undefined); // Not in time as a whole.
      return home?.missing.map(({ part }) => part).join() === parts.join() ? home : undefined;
    });
  const whole = await homeThatLacks();
  assert.equal(whole.member?.email, member.email);
  assert.equal(whole.accounts?.accounts[0]?.balance?.minorUnits, "600");
  assert.equal(whole.transfers?.transfers[0]?.state, "TRANSFER_STATE_COMPLETED");
  assert.deepEqual([whole.payments?.payments, whole.batches?.batches, whole.missing], [[], [], []]);

  const { pid } = platform.readUpFile().processes.find(({ name }) => name === "payment")!;
  process.kill(pid!, "SIGSTOP");
  try {
    const without = await homeThatLacks("payments");
    assert.deepEqual(without.missing, [{ part: "payments", reason: "DEADLINE_EXCEEDED" }]);
    assert.equal(without.payments, undefined);
    assert.equal(without.accounts?.accounts[0]?.balance?.minorUnits, "600");
  } finally {
    process.kill(pid!, "SIGCONT");
  }
  await homeThatLacks();
});
