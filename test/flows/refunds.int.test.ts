// Refunds through payment, ledger and banking in one process, each with its database, and a bank, on a bus
// that delivers their events two or three times, late, and in another order. Whatever it does, each refund
// ends as the bank says, each amount moves once, and what is given back is given back once.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { PaymentState, type Refund, RefundState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { type Database, migrate, newUuid, openDatabase } from "@ferry/platform/db";
import { createMemoryBus, type MemoryBus, type OutgoingRecord } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import { createOutbox, outboxMigrations } from "@ferry/platform/outbox";
import { silentLogger as logger } from "@ferry/platform/telemetry";
import { startBank } from "../../local/bank/server.ts";
import { bankingTemplate, startBanking } from "../../services/banking/banking.fixture.ts";
import { createLedgerService } from "../../services/ledger/service.ts";
import { ledgerMigrations } from "../../services/ledger/store/migrations.ts";
import { assertBooksHold, createTestLedger, credit } from "../../services/ledger/store/test-ledger.ts";
import { paymentTemplate, startPaymentsAmong } from "../../services/payment/payment.fixture.ts";
import { as } from "../support/credentials.ts";
import { createDirectory } from "../support/neighbors.ts";
import { PATIENT } from "../support/patient.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { until } from "../support/until.ts";

const LONGEST_DELAY_MS = 60;
/** mulberry32: the same seed, the same deliveries asked for. */
function createChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Delivers events one to three times, each time late; commands and replies as they come. */
function createUnrulyBus(inner: MemoryBus, chance: () => number) {
  const figures = { events: 0, deliveries: 0 };
  const onTheirWay = new Set<Promise<void>>();

  async function deliver(record: OutgoingRecord): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, chance() * LONGEST_DELAY_MS));
    figures.deliveries++;
    await inner.publish([record]);
  }

  async function deliverSeveralTimes(record: OutgoingRecord): Promise<void> {
    figures.events++;
    const copies = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => deliver(record));
    for (const copy of copies) onTheirWay.add(copy);
    await Promise.race(copies); // Acknowledged with the first.
  }

  const bus: MemoryBus = {
    ...inner,
    async publish(records) {
      const isEvent = ({ topic }: OutgoingRecord) => topic.endsWith(".events.v1");
      const plain = records.filter((record) => !isEvent(record));
      if (plain.length > 0) await inner.publish(plain);
      await Promise.all(records.filter(isEvent).map(deliverSeveralTimes));
    },
  };
  return { bus, figures, settled: () => Promise.all(onTheirWay) };
}

const inner = createMemoryBus();
const unruly = createUnrulyBus(inner, createChance(20_261_121));
const [payer, merchant] = [newUuid(), newUuid()];
const databases: TestDatabase[] = [];
let bank: Awaited<ReturnType<typeof startBank>>;
let folder: string;
let ledgerDatabase: Database;
let ledgerParts: Component[];
let books: ReturnType<typeof createTestLedger>;
let banking: Awaited<ReturnType<typeof startBanking>>;
let payments: Awaited<ReturnType<typeof startPaymentsAmong>>;

async function newDatabase(template: { name: string; run(url: string): Promise<void> }): Promise<string> {
  const made = await createTestDatabase(template);
  databases.push(made);
  return made.url;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "ferry-refunds-"));
  bank = await startBank({ directory: folder, port: 0, timeouts: { lateMs: 1_000, silentMs: 10_000 } });
  const run = (url: string) => migrate(url, [outboxMigrations, ledgerMigrations]);
  const url = await newDatabase({ name: "ledger_among", run });
  ledgerDatabase = openDatabase({ url, ...PATIENT });
  books = createTestLedger({ url, drop: async () => {} });
  const outbox = createOutbox({ database: ledgerDatabase, bus: unruly.bus, source: "ferry/ledger", logger });
  const ledger = createLedgerService({ database: ledgerDatabase, bus: unruly.bus, outbox });
  ledgerParts = [outbox, ...ledger.components];
  for (const part of ledgerParts) await part.start?.();
  const bankUrl = `http://127.0.0.1:${bank.port}`;
  banking = await startBanking({ url: await newDatabase(bankingTemplate), bankUrl, bus: unruly.bus });
  const client = createClient(LedgerService, createRouterTransport(ledger.routes));
  const { members } = createDirectory();
  payments = await startPaymentsAmong({
    url: await newDatabase(paymentTemplate),
    bus: unruly.bus,
    members,
    ledger: client,
  });
});
after(async () => {
  await unruly.settled();
  await payments.stop();
  await banking.stop();
  for (const part of ledgerParts.toReversed()) await part.stop?.();
  await inner.close();
  await ledgerDatabase.close();
  await books.close();
  for (const each of databases) await each.drop();
  await bank.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What each account at the bank makes of a refund; undefined: it stays on the platform. */
const WAYS: [accountNumber: string | undefined, end: RefundState][] = [
  [undefined, RefundState.COMPLETED],
  ["2200000001", RefundState.COMPLETED],
  ["2200009402", RefundState.FAILED],
  ["2200009400", RefundState.COMPLETED],
];
const REFUNDS = 40;
const AMOUNT = { currency: "EUR", minorUnits: 25n };

async function ended(paymentId: string, refundId: string): Promise<Refund> {
  return until(`the end of refund ${refundId}`, async () => {
    const { refund } = await payments.client.getRefund({ paymentId, refundId }, as(merchant));
    return refund!.state === RefundState.COMPLETED || refund!.state === RefundState.FAILED ? refund : undefined;
  });
}

test("on a bus that doubles, delays and reorders events every refund ends as the bank says, and moves its amount once", async () => {
  const source = await books.accounts.insertAccount(ledgerDatabase, newUuid(), payer, "EUR");
  const shop = await books.accounts.insertAccount(ledgerDatabase, newUuid(), merchant, "EUR");
  assert.deepEqual(await books.send(credit(source.id, 1_000n)), [undefined]);
  const whole = { currency: "EUR", minorUnits: 1_000n };
  const paid = await payments.pay(payer, { sourceAccountId: source.id, merchantAccountId: shop.id, amount: whole });
  assert.equal(paid.payment?.state, PaymentState.COMPLETED);
  const paymentId = paid.payment.id;

  const begun = await Promise.all(
    Array.from({ length: REFUNDS }, async (_, index) => {
      const [accountNumber, end] = WAYS[index % WAYS.length]!;
      const bankAccount = accountNumber === undefined ? undefined : { bankCode: "081", accountNumber };
      const { refund } = await payments.refund(merchant, { paymentId, amount: AMOUNT, bankAccount });
      return { id: refund!.id, end };
    }),
  );
  const refunds: { end: RefundState; refund: Refund }[] = [];
  // One is asked for at a time: forty callers that ask again and again would keep the process from all else.
  for (const { id, end } of begun) refunds.push({ end, refund: await ended(paymentId, id) });
  assert.deepEqual(
    refunds.map(({ refund }) => refund.state),
    refunds.map(({ end }) => end),
  );
  await unruly.settled(); // What comes after the end is heard too.
  assert.ok(unruly.figures.deliveries > 1.5 * unruly.figures.events, JSON.stringify(unruly.figures));

  const completed = BigInt(refunds.filter(({ end }) => end === RefundState.COMPLETED).length);
  await until("all news to be heard", async () => {
    const { balanceMinor } = await books.find(shop.id);
    return balanceMinor === 1_000n - completed * 25n || undefined;
  });
  const { payment } = await payments.client.getPayment({ paymentId }, as(merchant));
  assert.equal(payment?.refunded?.minorUnits, completed * 25n);
  assert.equal((await books.find(source.id)).balanceMinor, BigInt(REFUNDS / WAYS.length) * 25n);
  const response = await fetch(`http://127.0.0.1:${bank.port}/v1/records?limit=1000`);
  const { records } = (await response.json()) as { records: { reference: string; status: string }[] };
  assert.equal(new Set(records.map(({ reference }) => reference)).size, records.length, "each reference once");
  assert.equal(records.filter(({ status }) => status === "done").length, REFUNDS / 2);
  await assertBooksHold(ledgerDatabase);
});
