// The books of top-ups, payments and refunds beside the ledger's and banking's: each kind of movement when all agree,
// and when one of them does not.
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
import { createTestLedger, credit, hold, ledgerTemplate, settle } from "../../ledger/store/test-ledger.ts";
import { migrations } from "../service.ts";
import { createPaymentAudit, paymentAuditMigrations } from "./audit.ts";

const own = {
  name: "payment_audit",
  run: (url: string) => migrate(url, [outboxMigrations, ...migrations, ...paymentAuditMigrations]),
};
const banks = { name: "banking_audit", run: (url: string) => migrate(url, [bankingMigrations]) };
const NUMBER = "1100001234";
const CHECKS = ["top-ups", "payments", "refunds"];

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
  const { auditor: made } = createPaymentAudit({
    ...{ database, logger: silentLogger, parkAfterMs: 1_000 },
    outbox: createOutbox({ database, bus: createMemoryBus(), source: "ferry/payment", logger: silentLogger }),
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

async function recordSaga(id: string, status: string) {
  await database.query(
    `INSERT INTO saga (id, definition, version, revision, status, state, progress, created_at, updated_at)
     VALUES ($1, 'x', 1, 1, $2, '{}', '{}', now(), now())`,
    [id, status],
  );
}

async function recordBankCall(reference: string, operation: "send" | "collect", outcome: "done" | "refused") {
  await banking.query(
    `INSERT INTO bank_call (reference, id, bank_code, operation, account_number, currency, amount, lease_until, outcome,
       duration_ms) VALUES ($1, ':bank:ask:1', '081', $2, $3, 'EUR', 50, now(), $4, 5)`,
    [reference, operation, NUMBER, outcome],
  );
}

async function topUp(state: "COMPLETED" | "FAILED") {
  const account = await ledger.open(0n);
  const id = newUuid();
  const isDone = state === "COMPLETED";
  await recordBankCall(id, "collect", isDone ? "done" : "refused");
  if (isDone) await ledger.send(credit(account.id, 50n, id));
  await database.query(
    `INSERT INTO top_up (id, member_id, request_hash, account_id, bank_code, account_number, currency, amount_minor, state,
       failure_code, created_at) VALUES ($1, $2, '', $3, '081', $4, 'EUR', 50, $5, $6, now() - interval '1 minute')`,
    [id, newUuid(), account.id, NUMBER, state, isDone ? null : "BANK_REFUSED"],
  );
  await recordSaga(id, isDone ? "completed" : "undone");
  return { id, account: account.id };
}

async function payment() {
  const [payer, merchant] = [await ledger.open(1_000n), await ledger.open(1_000n)];
  const placed = hold(payer, 50n, merchant.id);
  await ledger.send(placed, settle(placed));
  await database.query(
    `INSERT INTO payment (id, member_id, request_hash, source_account_id, merchant_member_id, merchant_account_id,
       currency, amount_minor, memo, state, created_at)
     VALUES ($1, $2, '', $3, $4, $5, 'EUR', 50, '', 'COMPLETED', now() - interval '1 minute')`,
    [placed.transferId, newUuid(), payer.id, newUuid(), merchant.id],
  );
  await recordSaga(placed.transferId, "completed");
  return { id: placed.transferId, account: payer.id, merchant };
}

async function refund(state: "COMPLETED" | "FAILED" | "REQUESTED") {
  const { id: paymentId, merchant } = await payment();
  const placed = hold(merchant, 50n);
  const id = placed.transferId;
  await ledger.send(placed, settle(placed));
  await recordBankCall(id, "send", state === "COMPLETED" ? "done" : "refused");
  if (state === "FAILED") await ledger.send(credit(merchant.id, 50n, id));
  await database.query(
    `INSERT INTO refund (id, payment_id, request_hash, amount_minor, bank_code, account_number, memo, state,
       failure_code, created_at) VALUES ($1, $2, '', 50, '081', $3, '', $4, $5, now() - interval '1 minute')`,
    [id, paymentId, NUMBER, state, state === "FAILED" ? "BANK_REFUSED" : null],
  );
  return { id, account: merchant.id };
}

/** Rounds of all, once a moment is known to be safe: other tests' transactions are open on the same server. */
async function rounds(suffix = ""): Promise<void> {
  for (const check of CHECKS) while ((await auditor.runRound(check + suffix)).cursor === undefined);
}

const breaches = () =>
  database.query<{ subject: string; message: string }>("SELECT subject, message FROM audit_breach ORDER BY subject");

test("books that agree have no breach: done, failed, taken back and on their way", async () => {
  for (const state of ["COMPLETED", "FAILED"] as const) await topUp(state);
  await payment();
  for (const state of ["COMPLETED", "FAILED", "REQUESTED"] as const) await refund(state);
  await rounds();
  await rounds("-sweep");
  assert.deepEqual(await breaches(), []);
  const looked = auditor.states().map(({ check, figures }) => [check.name, figures.rows]);
  assert.deepEqual(looked.slice(0, 3), [
    ["top-ups", 2],
    ["payments", 4],
    ["refunds", 3],
  ]);
});

const broken: [what: string, make: () => Promise<{ id: string; account: string }>, message: RegExp][] = [
  [
    "a completed top-up that is not booked",
    async () => {
      const made = await topUp("COMPLETED");
      await ledger.database.query("DELETE FROM entry WHERE reference = $1", [made.id]);
      return made;
    },
    /not booked with its amount/,
  ],
  [
    "a top-up that failed although the bank was debited",
    async () => {
      const made = await topUp("FAILED");
      await banking.query("UPDATE bank_call SET outcome = 'done' WHERE reference = $1", [made.id]);
      return made;
    },
    /the bank did its part/,
  ],
  [
    "a top-up without a saga",
    async () => {
      const made = await topUp("COMPLETED");
      await database.query("DELETE FROM saga WHERE id = $1", [made.id]);
      return made;
    },
    /has no saga/,
  ],
  [
    "a payment of another amount than is booked",
    async () => {
      const { id, account } = await payment();
      await database.query("UPDATE payment SET amount_minor = 49 WHERE id = $1", [id]);
      return { id, account };
    },
    /not booked with its amount/,
  ],
  [
    "a refund that failed and was not taken back",
    async () => {
      const made = await refund("FAILED");
      await ledger.database.query("DELETE FROM entry WHERE reference = $1 AND leg LIKE 'credit-%'", [made.id]);
      return made;
    },
    /did not complete, and its money was moved/,
  ],
  [
    "a completed refund that the bank was never asked to pay",
    async () => {
      const made = await refund("COMPLETED");
      await banking.query("DELETE FROM bank_call WHERE reference = $1", [made.id]);
      return made;
    },
    /no record of its amount at the bank/,
  ],
];
for (const [what, make, message] of broken)
  test(`it finds ${what}`, async () => {
    const { id, account } = await make();
    await rounds();
    const found = await breaches();
    assert.deepEqual(
      found.map(({ subject }) => subject),
      [id],
    );
    assert.match(found[0]!.message, message);
    assert.deepEqual(frozen, [account]);
  });

/** A row for each check: it is read whole, and is never large. */
const isOfCursors = (text: string) => /FROM audit_cursor/.test(text);

test("however long the history is, a round reads no large table whole", async () => {
  for (const state of ["COMPLETED", "FAILED"] as const) await topUp(state);
  for (const state of ["COMPLETED", "REQUESTED"] as const) await refund(state);
  const asked = await statementsOf(database, async () => {
    await rounds();
    await rounds("-sweep");
  });
  const kept = new Map([...asked].filter(([text]) => !isOfCursors(text)));
  assert.ok(kept.size > 8, `${kept.size} statements`);
  await assertIndexed(database, kept);
});
