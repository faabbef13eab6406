// Each check finds its breach when the books are broken by hand, and nothing in healthy ones.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { type AuditCheck, type Auditor, createAuditor } from "@ferry/platform/audit";
import { type Database, migrate, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../../test/support/patient.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { createFreezeAccounts } from "../app/freeze-accounts.ts";
import { createAccountStore } from "../store/account-store.ts";
import { ledgerMigrations } from "../store/migrations.ts";
import { createTestLedger, credit, hold, settle } from "../store/test-ledger.ts";
import { ledgerAuditMigrations } from "./audit.ts";
import { ledgerChecks } from "./checks.ts";
import { postingRpcs } from "./postings.ts";

const template = {
  name: "ledger_audit",
  run: (url: string) => migrate(url, [ledgerMigrations, outboxMigrations, ...ledgerAuditMigrations]),
};

interface Found {
  subject: string;
  accounts: string[];
  frozen: string[];
}

let testDatabase: TestDatabase;
let ledger: ReturnType<typeof createTestLedger>;
let database: Database;
let auditor: Auditor;
let errors: string[];
const book = () => ({ name: "", db: database, isWhole: true });

function auditorOf(checks: AuditCheck[], maxRows = 1_000): Auditor {
  const outbox = createOutbox({ database, bus: createMemoryBus(), source: "ferry/ledger", logger: silentLogger });
  const { freezeAccounts } = createFreezeAccounts({ database, store: createAccountStore() });
  return createAuditor({
    ...{ service: "ledger", database, outbox, checks, maxRows },
    logger: { ...silentLogger, error: (_, message) => void errors.push(message) },
    freeze: (ids, reason) => freezeAccounts(ids, { actor: "auditor:ledger", reason }),
  });
}

beforeEach(async () => {
  testDatabase = await createTestDatabase(template);
  ledger = createTestLedger(testDatabase);
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
  errors = [];
  auditor = auditorOf(ledgerChecks(book()));
});
afterEach(async () => {
  await database.close();
  await ledger.close();
});

/** Runs a round once a moment is known to be safe: other tests' transactions are open on the same server. */
async function round(name: string, by = auditor) {
  for (;;) {
    const result = await by.runRound(name);
    if (result.cursor !== undefined) return result;
  }
}

/** Transfers between a few accounts. @returns the transfers' ids and the accounts'. */
async function trade(count: number) {
  const [alice, bob] = [await ledger.open(100_000n), await ledger.open(100_000n)];
  const holds = Array.from({ length: count }, (_, index) =>
    index % 3 === 0 ? hold(alice, 5n) : hold(index % 2 === 0 ? alice : bob, 7n, index % 2 === 0 ? bob.id : alice.id),
  );
  for (const one of holds) await ledger.send(one, settle(one));
  await ledger.send(credit(alice.id, 11n));
  return { alice, bob, transferIds: holds.map(({ transferId }) => transferId) };
}

/** The rows' own times, as if all this had been a minute ago. The trigger that hears of it is off meanwhile. */
async function grow(): Promise<void> {
  await database.query("ALTER TABLE entry DISABLE TRIGGER USER");
  await database.query("UPDATE entry SET created_at = created_at - interval '1 minute'");
  await database.query("ALTER TABLE entry ENABLE TRIGGER USER");
}

/** Changes a posting behind the trigger's back. */
async function secretly(sql: string, values: readonly unknown[]): Promise<void> {
  await database.query("ALTER TABLE entry DISABLE TRIGGER USER");
  await database.query(sql, values);
  await database.query("ALTER TABLE entry ENABLE TRIGGER USER");
}

const breaches = () => database.query<Found>("SELECT subject, accounts::text[], frozen::text[] FROM audit_breach");
const subjects = async () => (await breaches()).map(({ subject }) => subject.replace(/:.*/, "")).sort();

test("healthy books have no breach, and each posting is looked at once", async () => {
  await trade(20);
  await grow();
  const first = await round("postings");
  assert.equal(first.rows, 2 * (20 + 3));
  assert.equal((await round("postings")).rows, 0);
  for (const name of ["postings-sweep", "accounts"]) await round(name);
  await auditor.runRound("changed-postings");
  assert.deepEqual(await breaches(), []);
});

const broken: [what: string, sql: string, found: string[]][] = [
  [
    "another amount",
    "UPDATE entry SET amount = amount + 1 WHERE reference = $1 AND amount > 0",
    ["chain", "unbalanced"],
  ],
  ["a lost posting", "DELETE FROM entry WHERE reference = $1 AND leg = 'transfer-from'", ["chain", "unbalanced"]],
  ["no reason", "UPDATE hold SET state = 'released' WHERE transfer_id = $1", ["reason"]],
  ["another amount held", "UPDATE hold SET amount = amount + 1 WHERE transfer_id = $1", ["reason"]],
  [
    "a balance",
    "UPDATE account SET balance = balance + 1 WHERE id = (SELECT account_id FROM hold WHERE transfer_id = $1)",
    ["balance"],
  ],
  [
    "money from nowhere",
    `WITH payee AS (SELECT account_id FROM entry WHERE reference = $1 AND amount > 0),
       more AS (UPDATE account SET balance = balance + 9, version = version + 1 WHERE id IN (SELECT account_id FROM payee) RETURNING *)
     INSERT INTO entry (account_id, version, reference, leg, amount, balance_after, created_at)
     SELECT id, version, gen_random_uuid(), 'credit-to', 9, balance, now() - interval '1 minute' FROM more`,
    ["reason", "unbalanced"],
  ],
];

for (const [what, sql, found] of broken)
  test(`it finds ${what}`, async () => {
    const { transferIds } = await trade(6);
    await grow();
    await secretly(sql, [transferIds[1]]);
    await round("postings");
    assert.deepEqual(await subjects(), found);
    const seen = await breaches();
    assert.ok(seen.every(({ accounts }) => accounts.length > 0));
    const members = await database.query<{ id: string; state: string }>(
      "SELECT id, state FROM account WHERE kind = 'member' AND id = ANY($1::uuid[])",
      [seen.flatMap(({ accounts }) => accounts)],
    );
    assert.ok(members.length > 0 && members.every(({ state }) => state === "frozen"), "their accounts are stopped");
    assert.equal(errors.filter((line) => line.startsWith("BREACH")).length, found.length);
    await round("postings-sweep");
    await round("postings-sweep");
    assert.deepEqual(await subjects(), found, "found again, a breach is the same, and raises no second alarm");
    assert.equal(errors.filter((line) => line.startsWith("BREACH")).length, found.length);
  });

test("the sweep finds what was changed long after it was looked at", async () => {
  const { transferIds } = await trade(6);
  await grow();
  await round("postings");
  await secretly("UPDATE entry SET amount = amount - 1 WHERE reference = $1 AND amount < 0", [transferIds[2]]);
  await round("postings");
  assert.deepEqual(await breaches(), [], "it was looked at already");
  await round("postings-sweep");
  assert.deepEqual(await subjects(), ["chain", "reason", "unbalanced"]);
});

test("the round of accounts finds a balance that was changed without a posting", async () => {
  const { bob } = await trade(3);
  await database.query("UPDATE account SET balance = balance + 1 WHERE id = $1", [bob.id]);
  await auditor.runRound("accounts");
  const [found, ...others] = await breaches();
  assert.deepEqual([found, others], [{ subject: `balance:${bob.id}`, accounts: [bob.id], frozen: [bob.id] }, []]);
});

test("a posting that is changed is heard of at once, wherever in history it is", async () => {
  const { alice, transferIds } = await trade(6);
  await database.query("UPDATE entry SET amount = amount WHERE reference = $1 AND account_id = $2", [
    transferIds[0],
    alice.id,
  ]);
  await round("changed-postings");
  const [found] = await breaches();
  assert.deepEqual([found?.accounts, found?.frozen], [[alice.id], [alice.id]]);
  await auditor.runRound("changed-postings");
  assert.equal((await breaches()).length, 1);
});

test("what commits late is not passed by, and is no breach before", async () => {
  const { transferIds } = await trade(4);
  await grow();
  const late = await database.session();
  await late.query("BEGIN");
  await late.query(
    `INSERT INTO entry (account_id, version, reference, leg, amount, balance_after, created_at)
     SELECT account_id, version + 1000, $1, 'credit-to', 1, 1, now() - interval '1 minute' FROM entry WHERE reference = $1 LIMIT 1`,
    [transferIds[0]],
  );
  const seen = await auditor.runRound("postings");
  assert.deepEqual([seen.rows, seen.cursor], [0, undefined], "while an older transaction is open, no moment is safe");
  await late.query("COMMIT");
  await late.release();
  await round("postings");
  assert.ok((await subjects()).includes("unbalanced"), "its posting was looked at");
});

test("a round looks at no more than it may, however long the history is", async () => {
  await trade(40);
  await grow();
  const small = auditorOf(ledgerChecks(book()), 10);
  const rounds = [];
  do rounds.push(await round("postings", small));
  while (rounds.at(-1)?.more === true && rounds.length < 50);
  assert.ok(rounds.length > 5, `${rounds.length} rounds`);
  assert.ok(
    rounds.every(({ rows }) => rows <= 12),
    rounds.map(({ rows }) => rows).join(),
  );
  assert.deepEqual(await breaches(), []);
});

/** A row for each check: it is read whole, and is never large. */
const isOfCursors = (text: string) => /FROM audit_cursor/.test(text);

test("however long the history is, a round reads no large table whole", async () => {
  const { alice } = await trade(6);
  await grow();
  await database.query("UPDATE entry SET amount = amount WHERE account_id = $1", [alice.id]);
  const asked = await statementsOf(database, async () => {
    for (const name of ["postings", "postings-sweep", "accounts"]) await round(name);
    await auditor.runRound("changed-postings");
    await postingRpcs([database]).batchGetPostings({ references: [alice.id] } as never, undefined as never);
  });
  const kept = new Map([...asked].filter(([text]) => !isOfCursors(text)));
  assert.ok(kept.size > 8, `${kept.size} statements`);
  await assertIndexed(database, kept);
});
