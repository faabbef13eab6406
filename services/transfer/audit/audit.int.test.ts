// The books of transfers, ledger and banking, each in its own database: what does not agree is found, nothing else is.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { PaymentRecordService } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { PostingService } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import type { Auditor } from "@ferry/platform/audit";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus } from "@ferry/platform/events";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../../test/support/patient.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/postgres.ts";
import { paymentRpcs } from "../../banking/audit/payments.ts";
import { bankingMigrations } from "../../banking/store/call-store.ts";
import { postingRpcs } from "../../ledger/audit/postings.ts";
import { createTestLedger, hold, ledgerTemplate, settle } from "../../ledger/store/test-ledger.ts";
import { migrations } from "../service.ts";
import { createTransferAudit, transferAuditMigrations } from "./audit.ts";

const own = {
  name: "transfer_audit",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations, ...transferAuditMigrations]),
};
const banks = { name: "banking_audit", run: (url: string) => migrate(url, [bankingMigrations]) };
const ACCOUNT_NUMBER = "2200001234";

let databases: TestDatabase[];
let database: Database;
let banking: Database;
let ledger: ReturnType<typeof createTestLedger>;
let auditor: Auditor;
let frozen: string[];

beforeEach(async () => {
  databases = [await createTestDatabase(own), await createTestDatabase(banks)];
  database = openDatabase({ url: databases[0]!.url, ...PATIENT });
  banking = openDatabase({ url: databases[1]!.url, ...PATIENT });
  ledger = createTestLedger(await createTestDatabase(ledgerTemplate));
  frozen = [];
  const transport = createRouterTransport((router) => {
    router.service(PostingService, postingRpcs([ledger.database]));
    router.service(PaymentRecordService, paymentRpcs(banking));
  });
  const { auditor: made } = createTransferAudit({
    ...{ database, logger: silentLogger, parkAfterMs: 1_000 },
    outbox: createOutbox({ database, bus: createMemoryBus(), source: "ferry/transfer", logger: silentLogger }),
    postings: createClient(PostingService, transport),
    payments: createClient(PaymentRecordService, transport),
    ledger: {
      async freezeAccounts({ accountIds = [] }) {
        frozen.push(...accountIds);
        return { $typeName: "ferry.ledger.v1.FreezeAccountsResponse", accountIds };
      },
    },
  });
  auditor = made as Auditor;
});
afterEach(async () => {
  await ledger.close();
  await Promise.all([database.close(), banking.close()]);
  for (const { drop } of databases) await drop();
});

/** Records a transfer as it is a minute after: row, saga and newest command in one transaction. */
async function record(id: string, source: string, to: { state?: string; saga?: string; bank?: boolean } = {}) {
  const { state = "COMPLETED", saga = "completed", bank = false } = to;
  const failure = state === "FAILED" || state === "CANCELED" || state === "PARKED" ? "BANK_REFUSED" : null;
  const isUnderWay = saga === "running" || saga === "undoing";
  await database.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO transfer (id, member_id, request_hash, source_account_id, destination_account_id,
         destination_bank_code, destination_account_number, currency, amount_minor, memo, state, failure_code, created_at)
       VALUES ($1, $2, '', $3, $4, $5, $6, 'EUR', 50, '', $7, $8, now() - interval '1 minute')`,
      [
        id,
        newUuid(),
        source,
        bank ? null : newUuid(),
        bank ? "081" : null,
        bank ? ACCOUNT_NUMBER : null,
        state,
        failure,
      ],
    );
    await tx.query(
      `INSERT INTO saga (id, definition, version, revision, status, state, progress, look_at, parked_at, command_xid,
         created_at, updated_at)
       VALUES ($1, 'x', 1, 1, $2, '{}', '{}', CASE WHEN $3 THEN now() + interval '1 hour' END,
         CASE WHEN $2 = 'parked' THEN now() END, pg_current_xact_id(), now(), now())`,
      [id, saga, isUnderWay],
    );
    await tx.query("INSERT INTO outbox (origin, batch) VALUES ($1, '')", [newUuid()]);
  });
}

async function payAtBank(reference: string, outcome: "done" | "refused", amount = 50n) {
  await banking.query(
    `INSERT INTO bank_call (reference, id, bank_code, operation, account_number, currency, amount, lease_until, outcome,
       duration_ms) VALUES ($1, ':send:ask:1', '081', 'send', $2, 'EUR', $3, now(), $4, 5)`,
    [reference, ACCOUNT_NUMBER, amount, outcome],
  );
}

/** A transfer whose books all agree: settled in the ledger, paid at the bank. */
async function healthy({ bank = false } = {}) {
  const payer = await ledger.open(1_000n);
  const placed = hold(payer, 50n, bank ? undefined : (await ledger.open(0n)).id);
  await ledger.send(placed, settle(placed));
  if (bank) await payAtBank(placed.transferId, "done");
  await record(placed.transferId, payer.id, { bank });
  return { id: placed.transferId, source: payer.id };
}

/** Rounds, once a moment is known to be safe: other tests' transactions are open on the same server. */
async function round(name = "transfers") {
  for (;;) {
    const result = await auditor.runRound(name);
    if (result.cursor !== undefined) return result;
  }
}

const breaches = () =>
  database.query<{ subject: string; message: string }>("SELECT subject, message FROM audit_breach ORDER BY subject");

async function assertFound(id: string, source: string, message: RegExp): Promise<void> {
  await round();
  const found = await breaches();
  assert.deepEqual(
    found.map(({ subject }) => subject),
    [id],
  );
  assert.match(found[0]!.message, message);
  assert.deepEqual(frozen, [source]);
}

test("books that agree have no breach, and each transfer is looked at once", async () => {
  for (const bank of [false, true, true]) await healthy({ bank });
  const payer = await ledger.open(1_000n);
  const placed = hold(payer, 50n);
  const release = { kind: "release-hold" as const, transferId: placed.transferId, sourceAccountId: payer.id };
  await ledger.send(placed, release);
  await payAtBank(placed.transferId, "refused");
  await record(placed.transferId, payer.id, { state: "FAILED", saga: "undone", bank: true });
  assert.equal((await round()).rows, 4);
  assert.equal((await round()).rows, 0);
  await round("transfers-sweep");
  assert.deepEqual(await breaches(), []);
});

const ownBreaks: [what: string, sql: string, message: RegExp][] = [
  ["no saga", "DELETE FROM saga WHERE id = $1", /has no saga/],
  ["a saga in another state", "UPDATE saga SET status = 'undone' WHERE id = $1", /different states/],
  [
    "a command that never came to the outbox",
    "DELETE FROM outbox WHERE xid = (SELECT command_xid FROM saga WHERE id = $1)",
    /not in the outbox/,
  ],
  [
    "a failure without a reason",
    "WITH undone AS (UPDATE saga SET status = 'undone' WHERE id = $1) UPDATE transfer SET state = 'FAILED' WHERE id = $1",
    /without a reason/,
  ],
];
for (const [what, sql, message] of ownBreaks)
  test(`it finds ${what}`, async () => {
    await healthy();
    const { id, source } = await healthy();
    await healthy();
    await database.query(sql, [id]);
    await assertFound(id, source, message);
  });

test("it finds a completed transfer that is not settled", async () => {
  const payer = await ledger.open(1_000n);
  const placed = hold(payer, 50n);
  await ledger.send(placed);
  await record(placed.transferId, payer.id);
  await assertFound(placed.transferId, payer.id, /not settled with its amount/);
});

test("it finds a transfer that failed, and whose hold is open", async () => {
  const payer = await ledger.open(1_000n);
  const placed = hold(payer, 50n);
  await ledger.send(placed);
  await record(placed.transferId, payer.id, { state: "FAILED", saga: "undone" });
  await assertFound(placed.transferId, payer.id, /hold is open/);
});

test("it finds a transfer that was settled with another amount than was asked for", async () => {
  const payer = await ledger.open(1_000n);
  const placed = hold(payer, 51n);
  await ledger.send(placed, settle(placed));
  await record(placed.transferId, payer.id);
  await assertFound(placed.transferId, payer.id, /not settled with its amount/);
});

test("it finds a completed transfer to a bank that was never paid, or with another amount", async () => {
  const { id, source } = await healthy({ bank: true });
  await banking.query("UPDATE bank_call SET amount = 49 WHERE reference = $1", [id]);
  await assertFound(id, source, /no payment of its amount/);
});

test("it finds a transfer that failed although the bank was paid", async () => {
  const payer = await ledger.open(1_000n);
  const id = newUuid();
  await payAtBank(id, "done");
  await record(id, payer.id, { state: "FAILED", saga: "undone", bank: true });
  await assertFound(id, payer.id, /the bank was paid/);
});

test("a transfer that an operator brought on without a step need not agree", async () => {
  const payer = await ledger.open(1_000n);
  const id = newUuid();
  await record(id, payer.id);
  await database.query(`UPDATE saga SET progress = '{"steps":[{"name":"settle","status":"skipped"}]}' WHERE id = $1`, [
    id,
  ]);
  assert.equal((await round()).rows, 1);
  assert.deepEqual(await breaches(), []);
});

test("what is on its way is no breach, and is looked at again when it has ended", async () => {
  const payer = await ledger.open(1_000n);
  const id = newUuid();
  await record(id, payer.id, { state: "ACCEPTED", saga: "running" });
  await round();
  const waiting = () => database.query<{ subject: string }>("SELECT subject FROM audit_waiting");
  assert.deepEqual([await breaches(), await waiting()], [[], [{ subject: id }]]);

  await database.query("UPDATE saga SET status = 'completed', look_at = NULL WHERE id = $1", [id]);
  await database.query("UPDATE transfer SET state = 'COMPLETED' WHERE id = $1", [id]);
  await database.query("UPDATE audit_waiting SET look_at = now()");
  await assertFound(id, payer.id, /not settled/);
  assert.deepEqual(await waiting(), []);
});

test("a neighbor that is away fails the round, which is done again", async () => {
  const { id, source } = await healthy();
  await ledger.database.query("ALTER TABLE entry RENAME TO entry_away");
  await assert.rejects(round());
  await ledger.database.query("ALTER TABLE entry_away RENAME TO entry");
  assert.equal((await round()).rows, 1);
  assert.deepEqual(await breaches(), []);
  await ledger.database.query("DELETE FROM hold WHERE transfer_id = $1", [id]);
  await round("transfers-sweep");
  assert.deepEqual(
    (await breaches()).map(({ subject }) => subject),
    [id],
  );
  assert.deepEqual(frozen, [source]);
});

test("a saga that nobody looks at is a breach as long as that lasts", async () => {
  const id = newUuid();
  await record(id, newUuid(), { state: "ACCEPTED", saga: "running" });
  await database.query("UPDATE saga SET look_at = now() - interval '2 minutes' WHERE id = $1", [id]);
  await auditor.runRound("sagas");
  const standing = () =>
    database.query<{ subject: string; ended: boolean }>(
      "SELECT subject, ended_at IS NOT NULL AS ended FROM audit_breach",
    );
  assert.deepEqual(await standing(), [{ subject: `not-looked-at:${id}`, ended: false }]);
  await database.query("UPDATE saga SET look_at = now() + interval '1 minute' WHERE id = $1", [id]);
  await auditor.runRound("sagas");
  assert.deepEqual(await standing(), [{ subject: `not-looked-at:${id}`, ended: true }]);
});

test("messages that are not published for too long are a breach as long as that lasts", async () => {
  await database.query("INSERT INTO outbox (origin, batch, created_at) VALUES ($1, '', now() - interval '6 minutes')", [
    newUuid(),
  ]);
  await auditor.runRound("outbox");
  assert.equal((await breaches()).length, 1);
  await database.query(
    "UPDATE outbox_mark SET xid = (SELECT max(xid) FROM outbox), seq = (SELECT max(seq) FROM outbox)",
  );
  await auditor.runRound("outbox");
  const [row] = await database.query<{ ended: boolean }>("SELECT ended_at IS NOT NULL AS ended FROM audit_breach");
  assert.deepEqual(row, { ended: true });
});

/** A row for each check: it is read whole, and is never large. */
const isOfCursors = (text: string) => /FROM audit_cursor|^UPDATE audit_waiting/.test(text);

test("however long the history is, a round reads no large table whole", async () => {
  await healthy({ bank: true });
  await record(newUuid(), newUuid(), { state: "ACCEPTED", saga: "running" });
  await record(newUuid(), newUuid(), { state: "PARKED", saga: "parked" });
  const asked = await statementsOf(database, async () => {
    await round();
    await database.query("UPDATE audit_waiting SET look_at = now() WHERE check_name = $1", ["transfers"]);
    for (const name of ["transfers", "transfers-sweep"]) await round(name);
    for (const name of ["sagas", "outbox"]) await auditor.runRound(name);
  });
  const kept = new Map([...asked].filter(([text]) => !isOfCursors(text)));
  assert.ok(kept.size > 8, `${kept.size} statements`);
  await assertIndexed(database, kept);
});
