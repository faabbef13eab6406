import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Database, migrate, openDatabase, type Queryable, type Transaction } from "@ferry/platform/db";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { memberStore } from "./member-store.ts";
import { memberMigrations } from "./migrations.ts";
import { sessionStore } from "./session-store.ts";

const ID = "01890000-0000-7000-8000-000000000000";
const HASH = Buffer.alloc(32);
let database: Database;
let drop: () => Promise<void>;

before(async () => {
  const run = (to: string) => migrate(to, [memberMigrations]);
  const made = await createTestDatabase({ name: "member_plans", run });
  drop = made.drop;
  database = openDatabase({ url: made.url });
});

after(async () => {
  await database.close();
  await drop();
});

/** A transaction that explains each statement that it is handed, and gives the plans. */
async function plansOf(work: (tx: Transaction) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = [];
  await database.transaction(async (tx) => {
    // Tables are empty here: a plan then shows a scan of the whole only where no index fits.
    await tx.query("SET LOCAL enable_seqscan = off");
    const explaining: Queryable = {
      async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
        const rows = await tx.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, values);
        plans.push(rows.map((row) => row["QUERY PLAN"]).join("\n"));
        return [];
      },
    };
    await work({ ...tx, ...explaining });
  });
  return plans;
}

test("every statement on people and sessions goes by an index", async () => {
  const now = new Date();
  const plans = await plansOf(async (tx) => {
    await memberStore.find(tx, ID);
    await memberStore.findWithPassword(tx, "a@example.com");
    await memberStore.findStates(tx, [ID]);
    await memberStore.findSuspended(tx);
    await memberStore.lock(tx, ID);
    await memberStore.lockByEmail(tx, "a@example.com");
    await memberStore.saveOperator(tx, ID, undefined);
    await sessionStore.lockToken(tx, HASH);
    await sessionStore.useToken(tx, HASH, now, now);
    await sessionStore.revoke(tx, ID, now);
    await sessionStore.revokeAllOf(tx, ID, now);
    await sessionStore.findRevokedSince(tx, now);
    await sessionStore.purge(tx, now);
  });
  assert.equal(plans.length, 14);
  for (const plan of plans) {
    assert.match(plan, /Index|Bitmap/);
    assert.doesNotMatch(plan, /Seq Scan/);
  }
});
