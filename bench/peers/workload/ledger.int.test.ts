// The statements that every peer runs, and that the check of the books can fail.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, beforeEach, test } from "node:test";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { findFaults } from "./books.ts";
import { createSets } from "./sets.ts";
import { createSteps, openLedger } from "./steps.ts";
import { carryOut, makeTransfer, type PeerTransfer } from "./transfer.ts";

const database = await createTestDatabase();
const pool = openLedger(database.url);
await pool.query(readFileSync(new URL("schema.sql", import.meta.url), "utf8"));
const steps = createSteps(pool);
after(async () => {
  await pool.end();
  await database.drop();
});

/** Ids that begin with f are accepted by the bank, those with 0 refused. */
const accepted = (index: number) => `ffffffff-0000-4000-8000-${String(index).padStart(12, "0")}`;
const refused = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
const paying = (id: string, amountMinor: number): PeerTransfer => ({ id, payer: 1, payee: 2, amountMinor });
const times = (count: number, work: () => Promise<unknown>) => Promise.all(Array.from({ length: count }, work));

async function availableOf(account: number): Promise<number> {
  return Number((await pool.query("SELECT available FROM accounts WHERE id = $1", [account])).rows[0].available);
}

async function fund(amountMinor: number): Promise<void> {
  await pool.query("TRUNCATE holds, entries, transfers");
  await pool.query("UPDATE accounts SET initial = $1, available = $1", [amountMinor]);
}

beforeEach(() => fund(1_000));

test("a step that is carried out many times at once has its effect once", async () => {
  const sent = paying(accepted(1), 10);
  await times(12, () => steps.reserve(sent));
  assert.equal(await availableOf(1), 990);
  await times(12, () => steps.settle(sent));
  const back = paying(refused(2), 10);
  await times(12, () => steps.reserve(back));
  await times(12, () => steps.release(back));
  assert.equal(await availableOf(1), 990);
  await times(3, () => steps.record(sent, "settled"));
  await times(3, () => steps.record(back, "failed"));
  assert.deepEqual(await findFaults(pool, 2), []);
});

test("a hold in another state than the step's is an error", async () => {
  const sent = paying(accepted(3), 10);
  await steps.reserve(sent);
  await steps.settle(sent);
  await assert.rejects(steps.release(sent), /is settled, not released/);
});

test("of forty at once, as many go through as the funds cover", async () => {
  await fund(15);
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, index) => carryOut(steps, paying(accepted(index), 10))),
  );
  assert.equal(outcomes.filter((outcome) => outcome === "settled").length, 1);
  assert.equal(await availableOf(1), 5);
  assert.deepEqual(await findFaults(pool, 40), []);
});

test("a transfer that the bank refuses gives the money back", async () => {
  assert.equal(await carryOut(steps, paying(refused(1), 10)), "failed");
  assert.equal(await availableOf(1), 1_000);
  assert.deepEqual(await findFaults(pool, 1), []);
});

test("a set takes what is covered, in order and then what still fits", async () => {
  await fund(15);
  const amounts = [7, 9, 5, 3];
  await createSets(pool, steps)(amounts.map((amount, index) => paying(accepted(index), amount)));
  assert.equal(await availableOf(1), 0);
  const taken = await pool.query<{ amount: string }>(
    "SELECT amount FROM transfers WHERE status = 'settled' ORDER BY 1",
  );
  assert.deepEqual(
    taken.rows.map(({ amount }) => Number(amount)),
    [3, 5, 7],
  );
  assert.deepEqual(await findFaults(pool, 4), []);
});

test("sets at once with scarce funds conserve money", async () => {
  await fund(100);
  const carryOutSet = createSets(pool, steps);
  for (let round = 0; round < 3; round++)
    await times(4, () => carryOutSet(Array.from({ length: 250 }, () => makeTransfer())));
  assert.deepEqual(await findFaults(pool, 3_000), []);
});

const breaches: [what: string, statement: string, fault: RegExp][] = [
  ["an invented unit", "UPDATE accounts SET available = available + 1 WHERE id = 3", /money was/],
  ["an open hold", "UPDATE holds SET status = 'held'", /holds are open/],
  ["a lost entry", "DELETE FROM entries WHERE leg = 1", /entries net to 10/],
  ["a lost transfer", "DELETE FROM transfers", /holds have no transfer/],
  ["another outcome", "UPDATE transfers SET status = 'rejected'", /transfers differ/],
];
for (const [what, statement, fault] of breaches)
  test(`the check of the books notices ${what}`, async () => {
    assert.equal(await carryOut(steps, paying(accepted(1), 10)), "settled");
    assert.deepEqual(await findFaults(pool, 1), []);
    await pool.query(statement);
    assert.match((await findFaults(pool, 1)).join("; "), fault);
  });
