import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../../test/support/until.ts";
import { isTimeout, newFolder, open, PATIENCE_MS, statusOf, TIMEOUTS } from "./bank.fixture.ts";

/**
 * Sends what gets no answer, and leaves when it has stood in the books for a while: who left after a time of its own
 * might have left before the bank had it, where the machine paused.
 *
 * @param lines Of the books by then.
 */
async function sendInVain(bank: Awaited<ReturnType<typeof open>>, accountNumber: string, lines: number): Promise<void> {
  const leaving = new AbortController();
  const sent = assert.rejects(bank.send("a", accountNumber, {}, leaving.signal), /no answer came/);
  const books = join(bank.directory, "books.jsonl");
  await until("it is in the books", () => readFileSync(books, "utf8").split("\n").length > lines || undefined);
  setTimeout(() => leaving.abort(new Error("no answer came")), PATIENCE_MS);
  await sent;
}

test("0000 to 8999: verified, sent, done", async (t) => {
  const bank = await open(t);
  const verified = await bank.verify("a", "20000000");
  assert.deepEqual(verified.body, { status: "ok", holderName: "Holder of 20000000" });
  const sent = await bank.send("a", "20008999");
  assert.equal(statusOf(sent), "200 done");
  assert.deepEqual(sent.body.amount, { currency: "EUR", minorUnits: "1250" });
  assert.deepEqual(await bank.ask("a"), sent);
  assert.equal(statusOf(await bank.ask("never-sent")), "404 not-found");
});

test("9404 is unknown, 9409 is closed", async (t) => {
  const bank = await open(t);
  assert.deepEqual((await bank.verify("a", "20009404")).body, { status: "unknown" });
  assert.deepEqual((await bank.verify("a", "20009409")).body, { status: "closed" });
});

test("9402: refused for good", async (t) => {
  const bank = await open(t);
  assert.equal((await bank.verify("a", "20009402")).body.status, "ok");
  for (let attempt = 1; attempt <= 2; attempt++) {
    const { body } = await bank.send("a", "20009402");
    assert.deepEqual([body.status, body.reason], ["refused", "refused-by-account"]);
  }
  assert.equal(statusOf(await bank.ask("a")), "200 refused");
});

test("9500: three errors for a reference, then done", async (t) => {
  const bank = await open(t);
  for (let attempt = 1; attempt <= 3; attempt++) {
    assert.equal((await bank.send("a", "20009500")).status, 503);
    assert.equal(statusOf(await bank.ask("a")), "404 not-found");
  }
  assert.equal(statusOf(await bank.send("a", "20009500")), "200 done");
  assert.equal(statusOf(await bank.ask("a")), "200 done");
  assert.equal((await bank.send("b", "20009500")).status, 503, "another reference begins anew");
});

test("9501: three errors for a reference at the verification, then ok", async (t) => {
  const bank = await open(t);
  for (let attempt = 1; attempt <= 3; attempt++) assert.equal((await bank.verify("a", "20009501")).status, 503);
  assert.equal((await bank.verify("a", "20009501")).body.status, "ok");
  assert.equal(statusOf(await bank.send("a", "20009501")), "200 done");
});

test("9504: done at once, answered late", async (t) => {
  const later = await open(t, newFolder(), { ...TIMEOUTS, lateMs: 30_000 });
  await sendInVain(later, "20009504", 1);
  assert.equal(statusOf(await later.ask("a")), "200 done");
  const bank = await open(t);
  const started = performance.now();
  assert.equal(statusOf(await bank.send("b", "20009504")), "200 done");
  assert.ok(performance.now() - started >= TIMEOUTS.lateMs - 5);
});

test("9505: two attempts without answer or effect, done at the third", async (t) => {
  const bank = await open(t);
  for (let attempt = 1; attempt <= 2; attempt++) {
    await sendInVain(bank, "20009505", attempt);
    assert.equal(statusOf(await bank.ask("a")), "404 not-found");
  }
  assert.equal(statusOf(await bank.send("a", "20009505")), "200 done");
  assert.equal(statusOf(await bank.ask("a")), "200 done");
});

test("9400: done, and the answer is broken JSON", async (t) => {
  const bank = await open(t);
  await assert.rejects(bank.send("a", "20009400"), { name: "SyntaxError" });
  assert.equal(statusOf(await bank.ask("a")), "200 done");
});

test("9999: never answers, nothing done", async (t) => {
  const bank = await open(t);
  assert.equal((await bank.verify("a", "20009999")).body.status, "ok");
  await sendInVain(bank, "20009999", 1);
  await assert.rejects(bank.ask("a", PATIENCE_MS), isTimeout);
  assert.equal((await bank.summary()).body.count, 0);
});
