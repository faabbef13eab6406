import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RefundNotPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  RefundBookedSchema,
  RefundNotBookedSchema,
  RefundTakenBackSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { RefundRequestedSchema, TopUpFailedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, deadLetterTopic, writeHeaders } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { PATIENT } from "../../../test/support/patient.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { until } from "../../../test/support/until.ts";
import { createCarryOut } from "../app/carry-out.ts";
import { createRefunds } from "../app/refunds.ts";
import type { Command } from "../domain/commands.ts";
import { stripeFor } from "../domain/internal-accounts.ts";
import { createAccountStore } from "../store/account-store.ts";
import { createCommandStore } from "../store/command-store.ts";
import { ledgerMigrations } from "../store/migrations.ts";
import { assertBooksHold, credit, hold } from "../store/test-ledger.ts";
import { createRefundsConsumer } from "./refunds.ts";

const EVENTS = "ferry.ledger.events.v1";
const REQUESTS = "ferry.payment.events.v1";
const bus = createMemoryBus();
const accounts = createAccountStore();
const carryOut = createCarryOut({ store: createCommandStore() });
let database: Database;
let parts: Component[];
let drop: () => Promise<void>;

before(async () => {
  const run = (url: string) => migrate(url, [outboxMigrations, ledgerMigrations]);
  const made = await createTestDatabase({ name: "ledger_refunds", run });
  drop = made.drop;
  database = openDatabase({ url: made.url, ...PATIENT });
  const outbox = createOutbox({ database, bus, source: "ferry/ledger", logger });
  const { book, takeBack } = createRefunds({ carryOut, outbox });
  const refunds = {
    book: (heard: Parameters<typeof book>[1]) => database.transaction((tx) => book(tx, heard)),
    takeBack: (heard: Parameters<typeof takeBack>[1]) => database.transaction((tx) => takeBack(tx, heard)),
  };
  parts = [outbox, createRefundsConsumer({ bus, refunds })];
  for (const part of parts) await part.start?.();
});
after(async () => {
  for (const part of parts.toReversed()) await part.stop?.();
  await bus.close();
  await database.close();
  await drop();
});

const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });
const bankAccount = { bankCode: "081", accountNumber: "2200009402" };

const send = (...commands: Command[]) => database.transaction((tx) => carryOut(tx, commands));

async function open(balanceMinor: bigint) {
  const account = await accounts.insertAccount(database, newUuid(), newUuid(), "EUR");
  if (balanceMinor > 0n) await send(credit(account.id, balanceMinor));
  return { id: account.id, ownerId: account.ownerId! };
}

const balanceOf = async (id: string) => (await accounts.findAccounts(database, [id])).get(id)?.balanceMinor;

async function say<S extends DescMessage>(schema: S, key: string, content: MessageInitShape<S>): Promise<void> {
  const topic = schema.typeName.startsWith("ferry.banking") ? "ferry.banking.events.v1" : REQUESTS;
  const facts = { id: newUuid(), source: "ferry/test", time: new Date(), type: schema.typeName };
  await bus.publish([{ topic, key, value: toBinary(schema, create(schema, content)), headers: writeHeaders(facts) }]);
}

const saidOf = (refundId: string) => bus.records(EVENTS).filter(({ key }) => key === refundId);

/** Waits until the ledger has said so much of a refund; gives the last of it. */
async function heard<S extends DescMessage>(refundId: string, count: number, schema: S) {
  const records = await until(`${count} events of ${refundId}`, () => {
    const found = saidOf(refundId);
    return found.length >= count ? found : undefined;
  });
  const last = records[count - 1]!;
  assert.equal(last.headers.ce_type, schema.typeName);
  return { id: last.headers.ce_id, event: fromBinary(schema, last.value!) };
}

type Request = MessageInitShape<typeof RefundRequestedSchema>;

function requestOf(merchant: { id: string; ownerId: string }, fields: Partial<Request>): Request {
  return {
    refundId: newUuid(),
    paymentId: newUuid(),
    merchantMemberId: merchant.ownerId,
    merchantAccountId: merchant.id,
    amount: euros(40n),
    version: 1n,
    ...fields,
  } as Request;
}

const toBank = { destination: { case: "bankAccount", value: bankAccount } } as const;

test("a refund to the payer's account is booked once, however often it is asked for, under its own reference", async () => {
  const [merchant, payer] = [await open(100n), await open(0n)];
  const request = requestOf(merchant, { destination: { case: "payerAccountId", value: payer.id }, memo: "sorry" });
  await say(RefundRequestedSchema, request.refundId!, request);
  const first = await heard(request.refundId!, 1, RefundBookedSchema);
  assert.deepEqual(
    [first.event.paymentId, first.event.amount?.minorUnits, first.event.memo, first.event.version],
    [...[request.paymentId, 40n, "sorry", 1n]],
  );
  await say(RefundRequestedSchema, request.refundId!, request);
  const again = await heard(request.refundId!, 2, RefundBookedSchema);
  assert.equal(again.id, first.id, "the same event, said again");
  assert.deepEqual([await balanceOf(merchant.id), await balanceOf(payer.id)], [60n, 40n]);
  const entries = await accounts.listEntries(database, payer.id, 2n ** 62n, 10);
  assert.deepEqual(
    entries.map(({ reference, amountMinor }) => [reference, amountMinor]),
    [[request.refundId, 40n]],
  );
});

test("what the merchant cannot pay is not booked, then or later", async () => {
  const merchant = await open(39n);
  const request = requestOf(merchant, toBank);
  await say(RefundRequestedSchema, request.refundId!, request);
  const { event } = await heard(request.refundId!, 1, RefundNotBookedSchema);
  assert.deepEqual([event.failure?.code, event.version], ["INSUFFICIENT_BALANCE", 1n]);
  await send(credit(merchant.id, 100n));
  await say(RefundRequestedSchema, request.refundId!, request);
  await heard(request.refundId!, 2, RefundNotBookedSchema);
  assert.equal(await balanceOf(merchant.id), 139n);
});

test("a refund that the bank refuses is taken back once, and a late request does not book it anew", async () => {
  const merchant = await open(100n);
  const request = requestOf(merchant, toBank);
  const { refundId, paymentId, amount } = request as { refundId: string; paymentId: string; amount: object };
  await say(RefundRequestedSchema, refundId, request);
  const { event } = await heard(refundId, 1, RefundBookedSchema);
  assert.deepEqual(event.destination.value, { ...bankAccount, $typeName: "ferry.types.v1.BankAccount" });
  assert.equal(await balanceOf(merchant.id), 60n);

  const failure = { code: "BANK_REFUSED", message: "the bank refused the payment" };
  const refused = { refundId, paymentId, merchantAccountId: merchant.id, bankAccount, amount, failure, version: 1n };
  await say(RefundNotPaidOutSchema, refundId, refused);
  const back = await heard(refundId, 2, RefundTakenBackSchema);
  assert.deepEqual([back.event.failure?.code, back.event.version], ["BANK_REFUSED", 2n]);
  assert.equal(await balanceOf(merchant.id), 100n);

  await say(RefundNotPaidOutSchema, refundId, refused);
  await heard(refundId, 3, RefundTakenBackSchema);
  await say(RefundRequestedSchema, refundId, request);
  await heard(refundId, 4, RefundBookedSchema); // What was said first is said again; nothing is moved for it.
  assert.equal(await balanceOf(merchant.id), 100n);
});

test("money that never left does not come back: a refusal of what was not booked goes to the dead letters", async () => {
  const merchant = await open(100n);
  const refundId = newUuid();
  const failure = { code: "BANK_REFUSED", message: "no" };
  const content = { refundId, paymentId: newUuid(), merchantAccountId: merchant.id, bankAccount, failure };
  await say(RefundNotPaidOutSchema, refundId, { ...content, amount: euros(40n), version: 1n });
  await until("a dead letter", () =>
    bus.records(deadLetterTopic("ferry.banking.events.v1")).find(({ key }) => key === refundId),
  );
  assert.equal(await balanceOf(merchant.id), 100n);
  assert.deepEqual(saidOf(refundId), []);
});

test("a set of many, with one that cannot be read among them and events of no concern, is booked but for that one", async () => {
  const merchant = await open(1_000n);
  const payer = await open(0n);
  const good = Array.from({ length: 5 }, () =>
    requestOf(merchant, { destination: { case: "payerAccountId", value: payer.id }, amount: euros(10n) }),
  );
  const bad = requestOf(merchant, { merchantAccountId: "nobody", ...toBank });
  const closed = await open(0n);
  await database.query("UPDATE account SET state = 'closed' WHERE id = $1", [closed.id]);
  const late = requestOf(merchant, { destination: { case: "payerAccountId", value: closed.id } });
  await say(TopUpFailedSchema, newUuid(), {});
  for (const request of [...good, bad, late]) await say(RefundRequestedSchema, request.refundId!, request);
  for (const request of good) await heard(request.refundId!, 1, RefundBookedSchema);
  const { event } = await heard(late.refundId!, 1, RefundNotBookedSchema);
  assert.equal(event.failure?.code, "ACCOUNT_CLOSED");
  const key = bad.refundId;
  await until("a dead letter", () => bus.records(deadLetterTopic(REQUESTS)).find((record) => record.key === key));
  assert.deepEqual([await balanceOf(merchant.id), await balanceOf(payer.id)], [950n, 50n]);
});

test("a hold that is placed and cannot be settled is given back, so nothing is left half-done", async () => {
  const merchant = await open(100n);
  const full = 2n ** 63n - 1n;
  await database.query("UPDATE account SET balance = $1 WHERE kind = 'clearing'", [full]);
  const rows = await database.query<{ stripe: number }>(
    "SELECT stripe FROM account WHERE kind = 'clearing' AND bank_code = '081' AND currency = 'EUR'",
  );
  const isFull = (transferId: string) =>
    rows.some(
      ({ stripe }) => stripe === stripeFor([{ kind: "release-hold", transferId, sourceAccountId: merchant.id }]),
    );
  let refundId = newUuid();
  while (!isFull(refundId)) refundId = newUuid(); // Another stripe would be made for it, with all its room.
  const request = requestOf(merchant, { refundId, ...toBank });
  await say(RefundRequestedSchema, refundId, request);
  const { event } = await heard(refundId, 1, RefundNotBookedSchema);
  assert.equal(event.failure?.code, "AMOUNT_OUT_OF_RANGE");
  assert.deepEqual(await send(hold(merchant, 100n)).then(([outcome]) => outcome?.refusal), undefined);
  await database.query(
    "UPDATE account SET balance = (SELECT coalesce(sum(amount), 0) FROM entry WHERE account_id = account.id) WHERE kind = 'clearing'",
  );
});

test("after all of it the books hold", () => assertBooksHold(database));
