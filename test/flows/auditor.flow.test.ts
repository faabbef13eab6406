// The live auditor: nothing to find in a platform under load, and one posting that somebody changes by SQL
// from outside is found within seconds; its account is stopped, the others go on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { EdgeCaller, toAccount } from "../support/client.ts";
import { makeParties, type Party, sendLoad, waitForEnds } from "../support/load.ts";
import { makeOperator } from "../support/operator.ts";
import { Platform, waitFor } from "../support/platform.ts";

const SERVICES = { ledger: 10_102, banking: 10_103, transfer: 10_104 };
const TRANSFERS = 400;
/** After a round that took long the auditor rests for up to a minute; what is new it may see whole only a round later. */
const LOOKED_WITHIN_MS = 150_000;
/** Seconds as a rule, which are printed; the same minute when the machine stood still in the round before, and another for one that failed. */
const FOUND_WITHIN_MS = 150_000;

let platform: Platform;
let edge: EdgeCaller;
let parties: Party[];
let ledger: pg.Client;
let operator: string;

before(async () => {
  platform = await Platform.start();
  edge = new EdgeCaller(platform.edge);
  parties = await makeParties(edge, 8);
  ledger = new pg.Client(platform.databaseUrl);
  await ledger.connect();
  const email = "auditor@example.org";
  const password = await makeOperator(platform, email);
  operator = await edge.logIn(email, password);
});
after(async () => {
  await ledger?.end();
  await platform?.stop();
});

/** A metric of a service's process, all labels with these added up. */
async function metric(service: keyof typeof SERVICES, start: string): Promise<number> {
  const text = await (await fetch(`http://${platform.addressOf(SERVICES[service])}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

const audit = async (service: string) =>
  (await edge.expect(200, "GET", `/v1/audits/${service}`, { token: operator })).audit;
const breaches = async (service: string) =>
  (await edge.expect(200, "GET", `/v1/audits/${service}/breaches`, { token: operator })).breaches;

interface CheckShown {
  name: string;
  totalRows: string;
  failure: string;
}

test("under load, with services killed in between, nothing is found, and everything is looked at", async (t) => {
  const kills = new Map([
    [100, "ledger"],
    [200, "transfer"],
    [300, "banking"],
  ]);
  const promised = await sendLoad({
    ...{ edge, parties, transfers: TRANSFERS, callers: 32, waitSeconds: 20 },
    accepted(count) {
      const victim = kills.get(count);
      if (victim !== undefined) platform.kill9(victim);
    },
  });
  await waitForEnds(edge, promised);
  /** A round that failed, as when a neighbor was late, is made again: the last one must not have. */
  const looked = async (service: string, check: string, rows: number) => {
    let found: CheckShown | undefined;
    const look = async () => {
      found = (await audit(service)).checks.find(({ name }: CheckShown) => name === check);
      return found?.failure === "" && Number(found.totalRows) >= rows;
    };
    await waitFor(`${service} to look at ${rows} rows`, look, LOOKED_WITHIN_MS).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(found)}`);
    });
  };
  const startedAt = Date.now();
  await looked("ledger", "postings", 2 * TRANSFERS);
  await looked("transfer", "transfers", TRANSFERS);
  await looked("banking", "bank-records", 1);
  t.diagnostic(`looked at ${Date.now() - startedAt} ms after the load`);
  for (const service of Object.keys(SERVICES)) {
    assert.deepEqual(await breaches(service), []);
    assert.equal(await metric(service as keyof typeof SERVICES, "ferry_audit_breaches{"), 0);
  }
  assert.ok((await metric("transfer", 'ferry_rpc_client_calls_total{rpc="/ferry.ledger.v1.PostingService')) > 0);
});

test("a posting that is changed from outside is found within seconds, and its account is stopped", async (t) => {
  const [victim, other, third] = parties as [Party, Party, Party];
  const startedAt = Date.now();
  const changed = await ledger.query(
    `UPDATE entry SET amount = amount - 1 WHERE (account_id, version) IN (
       SELECT account_id, version FROM entry WHERE account_id = $1 AND amount < 0 ORDER BY version LIMIT 1)`,
    [victim.accountId],
  );
  assert.equal(changed.rowCount, 1);
  // The sweep may come by just then, and find what else is wrong with the posting now.
  const found = await waitFor(
    "the change to be found, and the account frozen",
    async () =>
      (await breaches("ledger")).find(
        ({ check, frozenAccountIds }: { check: string; frozenAccountIds: string[] }) =>
          check === "changed-postings" && frozenAccountIds.length > 0,
      ),
    FOUND_WITHIN_MS,
  );
  t.diagnostic(`found and frozen after ${(Date.now() - startedAt) / 1_000} s`);
  assert.deepEqual([found.accountIds, found.frozenAccountIds], [[victim.accountId], [victim.accountId]]);
  assert.ok((await metric("ledger", "ferry_audit_breaches{")) > 0);
  assert.ok(platform.output.length > 0);

  const refused = await edge.transfer(victim.token, toAccount(victim.accountId, other.accountId, "1"), {
    waitSeconds: 20,
  });
  const { transfer } = refused.body.data ?? {};
  assert.deepEqual(
    [transfer?.failure?.code ?? refused.body.error?.code, transfer?.state ?? "refused"].includes("ACCOUNT_FROZEN"),
    true,
    JSON.stringify(refused.body),
  );
  const goes = await edge.transfer(other.token, toAccount(other.accountId, third.accountId, "1"), { waitSeconds: 20 });
  assert.equal(goes.body.data.transfer.state, "TRANSFER_STATE_COMPLETED", "others go on");

  const taken = await edge.expect(200, "POST", `/v1/audits/ledger/breaches/${found.id}:acknowledge`, {
    token: operator,
    body: { reason: "it was a test" },
  });
  assert.equal(taken.breach.acknowledgeReason, "it was a test");
});
