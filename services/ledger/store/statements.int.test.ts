import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import * as statements from "./statements.ts";
import { createTestLedger, ledgerTemplate } from "./test-ledger.ts";

let ledger: ReturnType<typeof createTestLedger>;
const ownerId = newUuid();
const accountId = newUuid();

before(async () => {
  ledger = createTestLedger(await createTestDatabase(ledgerTemplate));
  const { database } = ledger;
  await database.query("INSERT INTO account (id, kind, owner_id, currency) VALUES ($1, 'member', $2, 'EUR')", [
    accountId,
    ownerId,
  ]);
  await database.query(`INSERT INTO account (id, kind, owner_id, currency)
    SELECT gen_random_uuid(), 'member', gen_random_uuid(), 'EUR' FROM generate_series(1, 5000)`);
  await database.query(`INSERT INTO entry (account_id, version, reference, leg, amount, balance_after)
    SELECT account.id, version, gen_random_uuid(), 'credit-to', 1, version
    FROM (SELECT id FROM account WHERE id <> '${accountId}' LIMIT 100) AS account, generate_series(1, 50) AS version`);
  await database.query(
    `INSERT INTO entry (account_id, version, reference, leg, amount, balance_after)
    SELECT $1, version, gen_random_uuid(), 'credit-to', 1, version FROM generate_series(1, 5000) AS version`,
    [accountId],
  );
  await database.query(`INSERT INTO hold (transfer_id, account_id, state)
    SELECT gen_random_uuid(), gen_random_uuid(), 'tombstone' FROM generate_series(1, 5000)`);
  await database.query(`INSERT INTO credit (reference, account_id, amount, currency, bank_code)
    SELECT gen_random_uuid(), gen_random_uuid(), 1, 'EUR', '081' FROM generate_series(1, 5000)`);
  await database.query("ANALYZE");
});
after(() => ledger.close());

/** Both plans are looked at: the one made for the values, and the one that a named statement is kept with. */
const MODES = ["force_custom_plan", "force_generic_plan"] as const;

async function planOf(sql: string, values: readonly unknown[], mode: (typeof MODES)[number]): Promise<string> {
  const literals = values.map((value) => (Array.isArray(value) ? `'{${value.join()}}'` : `'${value}'`));
  return ledger.database.transaction(async (tx) => {
    await tx.query(`SET LOCAL plan_cache_mode = ${mode}`);
    await tx.query(`PREPARE probe AS ${sql}`);
    const rows = await tx.query<{ "QUERY PLAN": string }>(`EXPLAIN EXECUTE probe (${literals.join()})`);
    await tx.query("DEALLOCATE probe");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
}

const ids = [accountId, newUuid()];
const queries: [name: string, sql: string, values: unknown[], index: string][] = [
  ["LOCK_ACCOUNTS", statements.LOCK_ACCOUNTS, [ids], "account_pkey"],
  ["FIND_ACCOUNTS", statements.FIND_ACCOUNTS, [ids], "account_pkey"],
  ["LOCK_ACCOUNT", statements.LOCK_ACCOUNT, [accountId], "account_pkey"],
  ["FIND_HOLDS", statements.FIND_HOLDS, [ids], "hold_pkey"],
  ["FIND_CREDITS", statements.FIND_CREDITS, [ids], "credit_pkey"],
  ["LIST_ACCOUNTS", statements.LIST_ACCOUNTS, [ownerId, accountId, 51], "account_by_owner"],
  ["LIST_ENTRIES", statements.LIST_ENTRIES, [accountId, 4_000n, 51], "entry_pkey"],
];

for (const [name, sql, values, index] of queries)
  test(`${name} goes by ${index}`, async () => {
    for (const mode of MODES) {
      const plan = await planOf(sql, values, mode);
      assert.match(plan, new RegExp(`\\b${index}\\b`), `${mode}\n${plan}`);
      assert.doesNotMatch(plan, /Seq Scan/, mode);
      if (name.startsWith("LIST_")) assert.doesNotMatch(plan, /Sort/, `${mode}: the index gives the order`);
    }
  });

test("SAVE_CHANGES finds the rows that it changes by their keys", async () => {
  const empty = Array.from({ length: 26 }, () => []);
  for (const mode of MODES) {
    const plan = await planOf(statements.SAVE_CHANGES, empty, mode);
    assert.match(plan, /hold_pkey/, plan);
    assert.match(plan, /account_pkey/, plan);
    assert.doesNotMatch(plan, /Seq Scan/, plan);
  }
});
