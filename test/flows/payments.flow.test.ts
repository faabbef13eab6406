// Payments and refunds through the edge with a plain HTTP client: the ways that they can go, and kill -9
// of every service that takes part, in the middle. At the end the books hold.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, type Reply, type TestMember } from "../support/client.ts";
import { makeOperator } from "../support/operator.ts";
import { Platform, waitFor } from "../support/platform.ts";

/** Of banking for an answer of the bank, which answers some payments after 5 s and others not at all. */
const BANK_TIMEOUT_MS = "500";

let platform: Platform;
let edge: EdgeCaller;
let payer: TestMember;
let merchant: TestMember;
let shop: string;

before(async () => {
  platform = await Platform.start({ environment: { FERRY_BANK_TIMEOUT_MS: BANK_TIMEOUT_MS } });
  edge = new EdgeCaller(platform.edge);
  [payer, merchant] = [await edge.signUp(), await edge.signUp()];
  shop = await edge.openAccount(merchant.token);
});
after(() => platform.stop());

const money = (minorUnits: string) => ({ currency: "EUR", minorUnits });
const atBank = (digits: string) => ({ bankCode: "081", accountNumber: `220000${digits}` });
const FUNDING = { bankAccount: { bankCode: "081", accountNumber: "1100001234" } };

/** A new account of the payer's with so much on it. */
async function accountWith(minorUnits: string): Promise<string> {
  const account = await edge.openAccount(payer.token);
  if (minorUnits !== "0") await edge.topUp(payer.token, account, minorUnits);
  return account;
}

interface Asked {
  key?: string;
  waitSeconds?: number;
}

function send(token: string, path: string, body: object, { key = randomUUID(), waitSeconds = 20 }: Asked = {}) {
  const prefer: Record<string, string> = waitSeconds === 0 ? {} : { prefer: `wait=${waitSeconds}` };
  return edge.insist("POST", path, { token, headers: { "idempotency-key": key, ...prefer }, body });
}

function pay(sourceAccountId: string, minorUnits: string, more: object = {}, asked: Asked = {}): Promise<Reply> {
  const body = { sourceAccountId, merchantAccountId: shop, amount: money(minorUnits), ...more };
  return send(payer.token, "/v1/payments", body, asked);
}

function refund(paymentId: string, minorUnits: string, more: object = {}, asked: Asked = {}): Promise<Reply> {
  return send(merchant.token, `/v1/payments/${paymentId}/refunds`, { amount: money(minorUnits), ...more }, asked);
}

/** A payment that has come over. */
async function paid(minorUnits: string): Promise<{ id: string; account: string }> {
  const account = await accountWith(minorUnits);
  const reply = await pay(account, minorUnits);
  assert.equal(reply.body.data.payment.state, "PAYMENT_STATE_COMPLETED", JSON.stringify(reply.body));
  return { id: reply.body.data.payment.id, account };
}

const balance = async (account: string) => (await edge.balanceOf(payer.token, account)).balance;
const earned = async () => Number((await edge.balanceOf(merchant.token, shop)).balance);

test("with enough money: 201, completed, the merchant has it and sees it", async () => {
  const account = await accountWith("1500");
  const before = await earned();
  const reply = await pay(account, "1000", { memo: "two coffees", topUp: FUNDING });
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  const { payment } = reply.body.data;
  assert.deepEqual([payment.state, payment.topUpId], ["PAYMENT_STATE_COMPLETED", ""]);
  assert.deepEqual(
    payment.steps.map((step: Record<string, unknown>) => [step.name, step.state]),
    [
      ["place-hold", "STEP_STATE_DONE"],
      ["top-up", "STEP_STATE_NOT_NEEDED"],
      ["place-hold-again", "STEP_STATE_NOT_NEEDED"],
      ["settle", "STEP_STATE_DONE"],
    ],
  );
  assert.deepEqual(await edge.balanceOf(payer.token, account), { balance: "500", available: "500" });
  assert.equal(await earned(), before + 1_000);
  const received = await edge.expect(200, "GET", "/v1/payments?received=true", { token: merchant.token });
  assert.deepEqual([received.payments[0].id, received.payments[0].memo], [payment.id, "two coffees"]);
  assert.equal(received.payments[0].sourceAccountId, "");
  const { payments } = await edge.expect(200, "GET", "/v1/payments?page_size=1", { token: payer.token });
  assert.equal(payments[0].id, payment.id);
});

test("short: the payment brings in what is missing by itself, and completes", async () => {
  const account = await accountWith("300");
  const reply = await pay(account, "1000", { topUp: FUNDING });
  const { payment } = reply.body.data;
  assert.equal(payment.state, "PAYMENT_STATE_COMPLETED", JSON.stringify(reply.body));
  const { topUp } = await edge.expect(200, "GET", `/v1/top-ups/${payment.topUpId}`, { token: payer.token });
  assert.deepEqual(
    [topUp.state, topUp.amount.minorUnits, topUp.paymentId],
    ["TOP_UP_STATE_COMPLETED", "700", payment.id],
  );
  assert.deepEqual(await edge.balanceOf(payer.token, account), { balance: "0", available: "0" });
});

test("the top-up is refused: the payment fails with its reason, and nothing was moved or is set aside", async () => {
  const account = await accountWith("300");
  const before = await earned();
  const reply = await pay(account, "1000", { topUp: { bankAccount: atBank("1234") } });
  assert.equal(reply.status, 201);
  const { payment } = reply.body.data;
  assert.deepEqual([payment.state, payment.failure.code], ["PAYMENT_STATE_FAILED", "MANDATE_MISSING"]);
  assert.deepEqual(await edge.balanceOf(payer.token, account), { balance: "300", available: "300" });
  assert.equal(await earned(), before);
  const without = await pay(account, "1000");
  assert.equal(without.body.data.payment.failure.code, "INSUFFICIENT_BALANCE");
});

test("the same key 20 times at once: one payment; refused requests answer with their codes", async () => {
  const account = await accountWith("1000");
  const key = randomUUID();
  const replies = await Promise.all(Array.from({ length: 20 }, () => pay(account, "10", {}, { key })));
  assert.equal(new Set(replies.map(({ body }) => body.data.payment.id)).size, 1);
  assert.deepEqual(
    [replies.filter(({ status }) => status === 201).length, replies.filter(({ status }) => status === 200).length],
    [1, 19],
  );
  const self = await send(payer.token, "/v1/payments", {
    ...{ sourceAccountId: account, merchantAccountId: await accountWith("0"), amount: money("1") },
  });
  assert.deepEqual([self.status, self.body.error.code], [400, "SAME_ACCOUNT"]);
  const nobody = await pay(account, "1", { merchantAccountId: randomUUID() });
  assert.deepEqual([nobody.status, nobody.body.error.code], [422, "DESTINATION_UNKNOWN"]);
});

test("refunds, a part and the rest: the payer has it again, both histories name the refund; more is refused", async () => {
  const { id, account } = await paid("1000");
  const part = await refund(id, "400", { memo: "one was cold" });
  assert.equal(part.status, 201, JSON.stringify(part.body));
  assert.equal(part.body.data.refund.state, "REFUND_STATE_COMPLETED");
  assert.equal(await balance(account), "400");
  const tooMuch = await refund(id, "601");
  assert.deepEqual([tooMuch.status, tooMuch.body.error.code], [422, "REFUND_EXCEEDS_PAYMENT"]);
  const rest = await refund(id, "600");
  assert.equal(rest.body.data.refund.state, "REFUND_STATE_COMPLETED");
  assert.equal(await balance(account), "1000");
  const { refunds } = await edge.expect(200, "GET", `/v1/payments/${id}/refunds`, { token: payer.token });
  assert.deepEqual(
    refunds.map((each: { id: string }) => each.id),
    [rest.body.data.refund.id, part.body.data.refund.id],
  );
  for (const [token, of, sign] of [
    [payer.token, account, ""],
    [merchant.token, shop, "-"],
  ] as const) {
    const { entries } = await edge.expect(200, "GET", `/v1/accounts/${of}/entries?page_size=1`, { token });
    assert.deepEqual([entries[0].reference, entries[0].amount.minorUnits], [rest.body.data.refund.id, `${sign}600`]);
  }
  const { payment } = await edge.expect(200, "GET", `/v1/payments/${id}`, { token: merchant.token });
  assert.equal(payment.refunded.minorUnits, "1000");
  const foreign = await send(payer.token, `/v1/payments/${id}/refunds`, { amount: money("1") });
  assert.equal(foreign.status, 404);
});

test("what the merchant has spent cannot be refunded: the refund fails, and can be asked for again", async () => {
  const poor = await edge.signUp();
  const till = await edge.openAccount(poor.token);
  const account = await accountWith("100");
  const { body } = await pay(account, "100", { merchantAccountId: till });
  const { id } = body.data.payment;
  const spent = { sourceAccountId: till, destination: { accountId: account }, amount: money("100") };
  assert.equal((await edge.transfer(poor.token, spent, { waitSeconds: 20 })).status, 201);
  const path = `/v1/payments/${id}/refunds`;
  const failed = await send(poor.token, path, { amount: money("100") });
  const { state, failure } = failed.body.data.refund;
  assert.deepEqual([failed.status, state, failure.code], [201, "REFUND_STATE_FAILED", "INSUFFICIENT_BALANCE"]);
  await edge.topUp(poor.token, till, "100");
  const again = await send(poor.token, path, { amount: money("100") });
  assert.equal(again.body.data.refund.state, "REFUND_STATE_COMPLETED");
});

test("a refund to a bank that refuses comes back to the merchant, and its amount is free again", async () => {
  const { id } = await paid("1000");
  const before = await earned();
  const reply = await refund(id, "1000", { bankAccount: atBank("9402") });
  const { state, failure } = reply.body.data.refund;
  assert.deepEqual([state, failure.code], ["REFUND_STATE_FAILED", "BANK_REFUSED"], JSON.stringify(reply.body));
  assert.equal(await earned(), before);
  const once = await refund(id, "1000", { bankAccount: atBank("0007") });
  assert.equal(once.body.data.refund.state, "REFUND_STATE_COMPLETED");
  assert.equal(await earned(), before - 1_000);
});

test("a bank that answers late, or with nonsense, or not at first, is asked: paid once", async () => {
  await Promise.all(
    ["9504", "9400", "9505", "9500"].map(async (digits) => {
      const { id } = await paid("50");
      const reply = await refund(id, "50", { bankAccount: atBank(digits) }, { waitSeconds: 30 });
      const end = await ended(`/v1/payments/${id}/refunds/${reply.body.data.refund.id}`, "refund");
      assert.equal(end, "COMPLETED", `${digits}: ${JSON.stringify(reply.body)}`);
    }),
  );
});

/** Sends until it is taken, with the same key, as a client would. */
async function insist(what: string, ask: (key: string) => Promise<Reply>): Promise<Reply["body"]> {
  const key = randomUUID();
  return waitFor(what, async () => {
    const reply = await ask(key).catch(() => undefined);
    if (reply === undefined || [429, 500, 502, 503, 504].includes(reply.status)) return undefined;
    if (reply.status >= 400) throw new Error(`${what} was refused: ${JSON.stringify(reply.body)}`);
    return reply.body.data;
  });
}

/** Reads until it is in a state that is an end. */
async function ended(path: string, name: string): Promise<string> {
  return waitFor(
    `the end of ${path}`,
    async () => {
      const reply = await edge.call("GET", path, { token: payer.token }).catch(() => undefined);
      const state = reply?.status === 200 ? (reply.body.data[name].state as string) : "";
      return /_(COMPLETED|FAILED)$/.test(state) ? state.replace(/^.*_/, "") : undefined;
    },
    90_000,
  );
}

const PAYMENTS = 24;
const KILL_AT = 8;
/** After a round that took long the auditor rests for up to a minute. */
const LOOKED_WITHIN_MS = 150_000;

/** A payment from an account that is short, then a refund: on the platform, to a bank, or to a bank that refuses. */
async function wholeStory(account: string, index: number, accepted: () => void): Promise<string> {
  const body = { topUp: FUNDING };
  const { payment } = await insist("a payment", (key) => pay(account, "100", body, { key, waitSeconds: 0 }));
  accepted();
  assert.equal(await ended(`/v1/payments/${payment.id}`, "payment"), "COMPLETED");
  const bankAccount = [undefined, atBank("0009"), atBank("9402"), atBank("9400")][index % 4];
  const path = `/v1/payments/${payment.id}/refunds`;
  const more = bankAccount === undefined ? {} : { bankAccount };
  const asked = await insist("a refund", (key) => refund(payment.id, "60", more, { key, waitSeconds: 0 }));
  accepted();
  return ended(`${path}/${asked.refund.id}`, "refund");
}

for (const victim of ["payment", "ledger", "banking"])
  test(`kill -9 of ${victim} in the middle: every payment and refund ends as it must, and the books hold`, async () => {
    const accounts = await Promise.all(Array.from({ length: PAYMENTS }, () => accountWith("30")));
    const now = () => platform.readUpFile().processes.find(({ name }) => name === victim)!;
    const before = now().restarts;
    /** So many kills are behind it: it may not be back yet from the last. */
    const isBack = (kills: number) => now().restarts >= before + kills && now().pid !== null;
    const kills: Promise<unknown>[] = [];
    let count = 0;
    const accepted = () => {
      count++;
      if (count !== KILL_AT && count !== PAYMENTS + KILL_AT) return;
      const done = kills.length;
      kills.push(waitFor(`${victim} to run`, () => isBack(done) && platform.kill9(victim)));
    };
    const ends = await Promise.all(accounts.map((account, index) => wholeStory(account, index, accepted)));
    await Promise.all(kills);
    await waitFor("both faults to bite", () => isBack(kills.length));
    assert.deepEqual(
      ends,
      accounts.map((_, index) => (index % 4 === 2 ? "FAILED" : "COMPLETED")),
    );
    const { findings } = await booksOf(platform);
    assert.deepEqual(findings, []);
  });

test("at the end the books hold, and the checker has seen payments and refunds", async () => {
  const { findings, figures } = await booksOf(platform);
  assert.deepEqual(findings, []);
  assert.ok(
    figures.payments! >= 80 && figures.refunds! >= 80 && figures.refundsTakenBack! >= 19,
    JSON.stringify(figures),
  );
});

test("the live auditors have looked at payments and refunds, and found nothing", async () => {
  const email = `${randomUUID()}@example.com`;
  const token = await edge.logIn(email, await makeOperator(platform, email));
  const looked = async (check: string) => {
    const { audit } = await edge.expect(200, "GET", "/v1/audits/payment", { token });
    const found = audit.checks.find(({ name }: { name: string }) => name === check);
    // A round that failed, as when a neighbor was late, is made again.
    return found?.failure === "" && Number(found.totalRows) >= 80 ? true : undefined;
  };
  for (const check of ["payments", "refunds"])
    await waitFor(`the auditor to look at ${check}`, () => looked(check), LOOKED_WITHIN_MS);
  for (const service of ["payment", "ledger", "banking"]) {
    const { breaches } = await edge.expect(200, "GET", `/v1/audits/${service}/breaches`, { token });
    assert.deepEqual(breaches, [], service);
  }
});
