// The checker can fail: it notices a double payment, a leaked hold, a lost posting, a transfer that never
// was, and refunds that are counted, taken back or paid out wrongly, each put into the books on purpose and
// taken out again.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import pg from "pg";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, toBank } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform } from "../support/platform.ts";

/** A reference of nothing. */
const OTHER = randomUUID();

let platform: Platform;
let ledger: pg.Client;
let payment: pg.Client;
let edge: EdgeCaller;
let party: Party;
let transferId: string;
/** Refunds that ended: one paid out, one that the bank refused and that is back with the merchant. */
let counted: string;
let takenBack: string;

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  [party] = (await makeParties(edge, 1)) as [Party];
  const reply = await edge.transfer(party.token, toBank(party.accountId, "2200001234", "500"), { waitSeconds: 20 });
  transferId = reply.body.data.transfer.id;
  [ledger, payment] = (await Promise.all(["ledger", "payment"].map(connect))) as [pg.Client, pg.Client];
});
after(async () => {
  await ledger.end();
  await payment.end();
  await platform.stop();
});

async function connect(service: string): Promise<pg.Client> {
  const url = new URL(platform.databaseUrl);
  url.pathname = `/ferry_${service}`;
  const client = new pg.Client(url.href);
  await client.connect();
  return client;
}

/** A payment of 1.00 to a new merchant, and a refund of all of it to an account at the bank, at its end. */
async function refundTo(accountNumber: string): Promise<string> {
  const merchant = await edge.signUp();
  const merchantAccountId = await edge.openAccount(merchant.token);
  const amount = { currency: "EUR", minorUnits: "100" };
  const ask = (token: string, path: string, body: object) =>
    edge.insist("POST", path, { token, headers: { "idempotency-key": randomUUID(), prefer: "wait=20" }, body });
  const sourceAccountId = party.accountId;
  const paid = await ask(party.token, "/v1/payments", { sourceAccountId, merchantAccountId, amount });
  const path = `/v1/payments/${paid.body.data.payment.id}/refunds`;
  const refunded = await ask(merchant.token, path, { amount, bankAccount: { bankCode: "081", accountNumber } });
  assert.match(refunded.body.data.refund.state, /COMPLETED|FAILED/);
  return refunded.body.data.refund.id;
}

async function findings(): Promise<string> {
  return (await booksOf(platform)).findings.join("\n");
}

test("untouched books hold", async () => {
  const report = await booksOf(platform);
  assert.deepEqual(report.findings, []);
  assert.deepEqual([report.figures.completed, report.figures.topUps, report.figures.bankRecords], [1, 1, 2]);
});

// While they are made nothing is wrong yet: the auditor stops accounts whose books are.
test("refunds hold, also one that came back from the bank", async () => {
  counted = await refundTo("2200000001");
  takenBack = await refundTo("2200009402");
  const { findings: found, figures } = await booksOf(platform);
  assert.deepEqual([found, figures.refundsTakenBack], [[], 1]);
});

test("it notices a lost posting", async () => {
  const lost = await ledger.query("DELETE FROM entry WHERE reference = $1 AND leg = 'transfer-from' RETURNING *", [
    transferId,
  ]);
  const found = await findings();
  assert.match(found, /postings of a reference do not sum to zero/);
  assert.match(found, /a balance is not the sum of its postings/);
  const row = lost.rows[0];
  const names = Object.keys(row);
  await ledger.query(
    `INSERT INTO entry (${names.join(", ")}) VALUES (${names.map((_, index) => `$${index + 1}`).join(", ")})`,
    Object.values(row),
  );
  assert.equal(await findings(), "");
});

test("it notices a leaked hold", async () => {
  await ledger.query("UPDATE hold SET state = 'held' WHERE transfer_id = $1", [transferId]);
  await ledger.query("UPDATE account SET held = held + 500 WHERE id = $1", [party.accountId]);
  assert.match(await findings(), /a hold is left open/);
  await ledger.query("UPDATE hold SET state = 'settled' WHERE transfer_id = $1", [transferId]);
  await ledger.query("UPDATE account SET held = held - 500 WHERE id = $1", [party.accountId]);
  assert.equal(await findings(), "");
});

test("it notices a refund that is counted wrongly", async () => {
  const where = "WHERE id = (SELECT payment_id FROM refund WHERE refund.id = $1)";
  await payment.query(`UPDATE payment SET refunded_minor = 0 ${where}`, [counted]);
  assert.match(await findings(), /refunds are not what it counts, or more than was paid/);
  await payment.query(`UPDATE payment SET refunded_minor = amount_minor ${where}`, [counted]);
  await payment.query("UPDATE refund SET state = 'FAILED', failure_code = 'BANK_REFUSED' WHERE id = $1", [counted]);
  assert.match(await findings(), /moved another amount than/);
  await payment.query("UPDATE refund SET state = 'COMPLETED', failure_code = NULL WHERE id = $1", [counted]);
  assert.equal(await findings(), "");
});

test("it notices a refund that came back from the bank and not to the merchant", async () => {
  const rename = (from: string, to: string) =>
    ledger.query("UPDATE entry SET reference = $2 WHERE reference = $1 AND leg LIKE 'credit-%'", [from, to]);
  await rename(takenBack, OTHER);
  assert.match(await findings(), /moved another amount than .*1, as .*COMPLETED/);
  assert.match(await findings(), /moved money for no transfer/);
  await rename(OTHER, takenBack);
  assert.equal(await findings(), "");
});

test("it notices a double payment", async () => {
  const body = {
    reference: randomUUID(),
    creditorAccountNumber: "2200001234",
    amount: { currency: "EUR", minorUnits: "500" },
    memo: "",
  };
  const paid = await fetch(`http://${platform.addressOf(9200)}/v1/payments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(paid.status, 200);
  assert.match(await findings(), /the bank has a payment that nothing explains/);
});
