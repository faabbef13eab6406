// Banking's records beside the bank's own books: the auditor asks the real bank about a sample of them.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { type Auditor, auditMigrations } from "@ferry/platform/audit";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { open } from "../../../local/bank/bank.fixture.ts";
import { PATIENT } from "../../../test/support/patient.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { createBankClient } from "../clients/bank-client.ts";
import { bankingMigrations, moveMark } from "../store/call-store.ts";
import { createBankingAudit } from "./audit.ts";
import { paymentRpcs } from "./payments.ts";

const template = {
  name: "banking_audited",
  run: (url: string) => migrate(url, [outboxMigrations, bankingMigrations, auditMigrations]),
};
const ACCOUNT_NUMBER = "2200001234";
const GONE = "http://127.0.0.1:1";

let testDatabase: TestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createTestDatabase(template);
  database = openDatabase({ url: testDatabase.url, ...PATIENT });
});
afterEach(async () => {
  await database.close();
  await testDatabase.drop();
});

function auditorAt(bankUrl: string): Auditor {
  const bank = createBankClient({ url: bankUrl, timeoutMs: 10_000, connections: 4 });
  const outbox = createOutbox({ database, bus: createMemoryBus(), source: "ferry/banking", logger: silentLogger });
  const { auditor } = createBankingAudit({ database, outbox, logger: silentLogger, banks: new Map([["081", bank]]) });
  return auditor as Auditor;
}

/** A call as it is recorded, a minute ago; the mark has passed those before it. */
async function record(reference: string, outcome: "done" | "refused" | "pending", amount = 1_250n) {
  await database.query(
    `INSERT INTO bank_call (reference, id, bank_code, operation, account_number, currency, amount, started_at, lease_until,
       outcome, duration_ms)
     VALUES ($1, ':send:ask:1', '081', 'send', $2, 'EUR', $3, now() - interval '2 minutes', now() - interval '2 minutes',
       $4, CASE WHEN $4 <> 'pending' THEN 5 END)`,
    [reference, ACCOUNT_NUMBER, amount, outcome],
  );
  await database.transaction(moveMark);
}

const found = () =>
  database.query<{ subject: string; message: string; ended: boolean }>(
    "SELECT subject, message, ended_at IS NOT NULL AS ended FROM audit_breach ORDER BY found_at",
  );

test("records that the bank confirms are no breach; what it says otherwise, or does not know, is", async (t) => {
  const bank = await open(t);
  const [good, other, unknown] = [newUuid(), newUuid(), newUuid()];
  for (const reference of [good, other]) assert.equal((await bank.send(reference, ACCOUNT_NUMBER)).status, 200);
  const url = `http://127.0.0.1:${bank.port}`;
  const auditor = auditorAt(url);
  await record(good, "done");
  assert.equal((await auditor.runRound("bank-records")).rows, 1);
  assert.equal((await auditor.runRound("bank-records")).rows, 0, "a record is asked for once");
  assert.deepEqual(await found(), []);

  await record(other, "done", 1_251n);
  await auditor.runRound("bank-records");
  await record(unknown, "done");
  await auditor.runRound("bank-records");
  const subjects = async () => (await found()).map(({ subject }) => subject);
  assert.deepEqual(await subjects(), [other], "that the bank does not find one now is no proof");
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 60_000 });
  await auditor.runRound("bank-records");
  assert.deepEqual(await subjects(), [other, unknown]);
});

test("a payment that the bank finds later is no breach", async (t) => {
  const bank = await open(t);
  const reference = newUuid();
  await record(reference, "done");
  const auditor = auditorAt(`http://127.0.0.1:${bank.port}`);
  await auditor.runRound("bank-records");
  await bank.send(reference, ACCOUNT_NUMBER);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 60_000 });
  for (let round = 0; round < 2; round++) await auditor.runRound("bank-records");
  assert.deepEqual(await found(), []);
});

test("a bank that cannot be asked is no breach", async () => {
  await record(newUuid(), "done");
  assert.equal((await auditorAt(GONE).runRound("bank-records")).rows, 1);
  assert.deepEqual(await found(), []);
});

test("a call without an outcome that nobody takes over is a breach as long as that lasts", async () => {
  const reference = newUuid();
  await record(reference, "pending");
  const auditor = auditorAt(GONE);
  await auditor.runRound("calls");
  assert.deepEqual(
    (await found()).map(({ ended }) => ended),
    [false],
  );
  await database.query("UPDATE bank_call SET outcome = 'unknown', duration_ms = 5 WHERE reference = $1", [reference]);
  await auditor.runRound("calls");
  assert.deepEqual(
    (await found()).map(({ ended }) => ended),
    [true],
  );
});

/** A row for each check: it is read whole, and is never large. */
const isOfCursors = (text: string) => /FROM audit_cursor/.test(text);

test("however long the history is, a round reads no large table whole", async () => {
  const reference = newUuid();
  await record(reference, "done");
  await record(newUuid(), "pending");
  const auditor = auditorAt(GONE);
  const asked = await statementsOf(database, async () => {
    for (const name of ["calls", "bank-records", "outbox"]) await auditor.runRound(name);
    await paymentRpcs(database).batchGetPayments({ references: [reference] } as never, undefined as never);
  });
  const kept = new Map([...asked].filter(([text]) => !isOfCursors(text)));
  assert.ok(kept.size > 5, `${kept.size} statements`);
  await assertIndexed(database, kept);
});
