// A whole platform whose ledger lies in two databases of a PostgreSQL of their own: transfers, payments and
// refunds through the edge, kill -9 of the ledger in the middle, in both ways of posting between databases.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import pg from "pg";
import { booksOf } from "../support/books.ts";
import { EdgeCaller, toAccount } from "../support/client.ts";
import { makeParties, type Party, type Promised, sendLoad, waitForEnds } from "../support/load.ts";
import { makeOperator } from "../support/operator.ts";
import { Platform, waitFor } from "../support/platform.ts";
import { createTestDatabase } from "../support/postgres.ts";

const TRANSFERS = 120;
const PARTIES = 20;
const MEMBERS = "SELECT count(*) FROM account WHERE kind = 'member'";
const KILL_AT = 40;

async function countIn(urls: readonly string[], sql: string): Promise<number[]> {
  return Promise.all(
    urls.map(async (url) => {
      const client = new pg.Client(url);
      await client.connect();
      const { rows } = await client.query(sql);
      await client.end();
      return Number(rows[0].count);
    }),
  );
}

async function logIn(platform: Platform, edge: EdgeCaller): Promise<string> {
  const email = "shards@example.org";
  const password = await makeOperator(platform, email);
  return edge.logIn(email, password);
}

/** Transfers between accounts of the platform, from everybody to everybody, while the ledger is killed once. */
async function sendBetween(platform: Platform, edge: EdgeCaller, parties: readonly Party[]): Promise<Promised[]> {
  const send = async (index: number): Promise<Promised> => {
    if (index === KILL_AT) platform.kill9("ledger");
    const payer = parties[index % parties.length]!;
    const payee = parties[(index + 1 + (index % (parties.length - 1))) % parties.length]!;
    const key = randomUUID();
    const id = await waitFor(`transfer ${index} to be accepted`, async () => {
      const body = toAccount(payer.accountId, payee.accountId, "7");
      const reply = await edge.transfer(payer.token, body, { key, waitSeconds: 0 }).catch(() => undefined);
      return reply !== undefined && reply.status < 300 ? (reply.body.data.transfer.id as string) : undefined;
    });
    return { id, payer };
  };
  const promised: Promised[] = [];
  for (let index = 0; index < TRANSFERS; index += 8)
    promised.push(...(await Promise.all(Array.from({ length: 8 }, (_, offset) => send(index + offset)))));
  return promised;
}

for (const mode of ["two-phase", "clearing"])
  test(`${mode}: transfers, payments and refunds over two databases end as they must, and the books hold`, async (t) => {
    const databases = [await createTestDatabase(), await createTestDatabase()];
    const urls = databases.map(({ url }) => url);
    const environment = { LEDGER_SHARDS: urls.join(","), LEDGER_CROSS_SHARD: mode };
    const platform = await Platform.start({ environment });
    t.after(async () => {
      await platform.stop();
      for (const { drop } of databases) await drop();
    });
    const edge = new EdgeCaller(platform.edge);
    const parties = await makeParties(edge, PARTIES);
    // By chance all of them may lie in one.
    while (Math.min(...(await countIn(urls, MEMBERS))) === 0) parties.push(...(await makeParties(edge, 1)));

    const promised = await sendBetween(platform, edge, parties);
    promised.push(...(await sendLoad({ edge, parties, transfers: 20, callers: 4, waitSeconds: 10 })));
    const states = await waitForEnds(edge, promised);
    assert.deepEqual(states, new Map([["TRANSFER_STATE_COMPLETED", promised.length]]));

    const [payer, merchant] = parties as [Party, Party];
    const ask = (token: string, path: string, body: object) =>
      edge.insist("POST", path, { token, headers: { "idempotency-key": randomUUID(), prefer: "wait=20" }, body });
    const amount = { currency: "EUR", minorUnits: "50" };
    const content = { sourceAccountId: payer.accountId, merchantAccountId: merchant.accountId, amount };
    const { payment } = (await ask(payer.token, "/v1/payments", content)).body.data;
    assert.equal(payment.state, "PAYMENT_STATE_COMPLETED");
    const refunded = await ask(merchant.token, `/v1/payments/${payment.id}/refunds`, { amount });
    assert.equal(refunded.body.data.refund.state, "REFUND_STATE_COMPLETED");

    // What was handed over has arrived when no transit account has a balance any more, over both.
    const transit = "SELECT coalesce(sum(balance), 0) AS count FROM account WHERE kind = 'transit'";
    await waitFor("nothing to be under way", async () => {
      const [one, other] = await countIn(urls, transit);
      return one! + other! === 0 ? true : undefined;
    });
    const accounts = await countIn(urls, MEMBERS);
    assert.ok(accounts[0]! + accounts[1]! >= parties.length, `${accounts}`); // One that was opened late was opened again.
    const arrivals = await countIn(urls, "SELECT count(*) FROM arrival");
    // Ten of the transfers at least go over, also when all parties but one are in the same.
    if (mode === "clearing") assert.ok(arrivals[0]! + arrivals[1]! >= 10, `${arrivals} were handed over`);
    const { findings, figures } = await booksOf(platform);
    assert.deepEqual(findings, []);
    assert.ok(figures.completed! >= TRANSFERS);

    const token = await logIn(platform, edge);
    // A database that did not answer in time counts as unreachable.
    const doubt = await waitFor("both databases to be asked", async () => {
      const found = await edge.expect(200, "GET", "/v1/in-doubt-transactions", { token });
      return found.unreachable.length === 0 ? found : undefined;
    });
    assert.deepEqual(doubt.transactions, []);
    const body = { reason: "a test" };
    const nowhere = `/v1/in-doubt-transactions/${randomUUID()}`;
    for (const verb of ["commit", "rollback"]) await edge.expect(404, "POST", `${nowhere}:${verb}`, { token, body });
    await edge.expect(403, "GET", "/v1/in-doubt-transactions", { token: payer.token });
    const { account } = await edge.expect(200, "POST", `/v1/accounts/${payer.accountId}:freeze`, { token, body });
    assert.equal(account.state, "ACCOUNT_STATE_FROZEN");
    const refused = await edge.transfer(payer.token, toAccount(payer.accountId, merchant.accountId, "1"), {
      ...{ key: randomUUID(), waitSeconds: 30 },
    });
    assert.equal(refused.body.data.transfer.failure.code, "ACCOUNT_FROZEN");
  });
