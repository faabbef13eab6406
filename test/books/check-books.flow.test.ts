// The checker can fail: it notices a double payment, a leaked hold, a lost posting and a transfer
// that never was, each put into the books on purpose and taken out again.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import pg from "pg";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, toBank } from "../support/client.ts";
import { makeParties, type Party } from "../support/load.ts";
import { Platform } from "../support/platform.ts";

let platform: Platform;
let ledger: pg.Client;
let party: Party;
let transferId: string;

before(async () => {
  platform = await Platform.start();
  const edge = new EdgeCaller(platform.edge);
  [party] = (await makeParties(edge, 1)) as [Party];
  const reply = await edge.transfer(party.token, toBank(party.accountId, "2200001234", "500"), { waitSeconds: 20 });
  transferId = reply.body.data.transfer.id;
  const url = new URL(platform.databaseUrl);
  url.pathname = "/ferry_ledger";
  ledger = new pg.Client(url.href);
  await ledger.connect();
});
after(async () => {
  await ledger.end();
  await platform.stop();
});

async function findings(): Promise<string> {
  return (await booksOf(platform)).findings.join("\n");
}

test("untouched books hold", async () => {
  const report = await booksOf(platform);
  assert.deepEqual(report.findings, []);
  assert.deepEqual([report.figures.completed, report.figures.topUps, report.figures.bankRecords], [1, 1, 2]);
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
