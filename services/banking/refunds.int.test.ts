import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RefundNotPaidOutSchema, RefundPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  RefundBookedSchema,
  RefundNotBookedSchema,
  RefundTakenBackSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { deadLetterTopic, type MemoryBus, writeHeaders } from "@ferry/platform/events";
import { startBank } from "../../local/bank/server.ts";
import { assertIndexed, statementsOf } from "../../test/support/plans.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { BANK_TIMEOUT_MS, bankingTemplate, startBanking, until } from "./banking.fixture.ts";
import * as payoutStatements from "./store/payout-statements.ts";

const HEARD = "ferry.ledger.events.v1";
const SAID = "ferry.banking.events.v1";
let bank: Awaited<ReturnType<typeof startBank>>;
let bankUrl: string;
let folder: string;
let testDatabase: TestDatabase;
let banking: Awaited<ReturnType<typeof startBanking>>;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "ferry-banking-"));
  bank = await startBank({ directory: folder, port: 0, timeouts: { lateMs: 2 * BANK_TIMEOUT_MS, silentMs: 10_000 } });
  bankUrl = `http://127.0.0.1:${bank.port}`;
  testDatabase = await createTestDatabase(bankingTemplate);
  banking = await startBanking({ url: testDatabase.url, bankUrl });
});
after(async () => {
  await banking.stop();
  await bank.stop();
  await testDatabase.drop();
  await rm(folder, { recursive: true, force: true });
});

type Booked = MessageInitShape<typeof RefundBookedSchema>;

function booked(accountNumber: string, fields: Partial<Booked> = {}, bankCode = "081") {
  const refundId = newUuid();
  const content = {
    ...{ refundId, paymentId: newUuid(), merchantAccountId: newUuid(), memo: "sorry", version: 1n },
    destination: { case: "bankAccount" as const, value: { bankCode, accountNumber } },
    amount: { currency: "EUR", minorUnits: 250n },
    ...fields,
  };
  const value = toBinary(RefundBookedSchema, create(RefundBookedSchema, content as Booked));
  const facts = { id: `${refundId}:booked`, source: "ferry/ledger", time: new Date() };
  const headers = writeHeaders({ ...facts, type: RefundBookedSchema.typeName });
  return { refundId, content, record: { topic: HEARD, key: refundId, value, headers } };
}

const saidOf = (bus: MemoryBus, refundId: string, count = 1) =>
  until(`${count} events of ${refundId}`, () => {
    const found = bus.records(SAID).filter(({ key }) => key === refundId);
    return found.length >= count ? found : undefined;
  });

async function recordsOf(reference: string): Promise<{ status: string; minorUnits: string }[]> {
  const response = await fetch(`${bankUrl}/v1/records?limit=10000`);
  const { records } = (await response.json()) as {
    records: { reference: string; status: string; minorUnits: string }[];
  };
  return records.filter((record) => record.reference === reference);
}

const rows: [digits: string, end: "paid" | "not-paid", records: string[], calls?: string[]][] = [
  ["0001", "paid", ["done"], ["send:1"]],
  ["9402", "not-paid", ["refused"], ["send:1"]],
  ["9400", "paid", ["done"], ["send:1", "inquire:2"]],
  ["9504", "paid", ["done"]],
  ["9500", "paid", ["done"], ["send:1", "inquire:2", "send:3", "inquire:4", "send:5", "inquire:6", "send:7"]],
  ["9505", "paid", ["done"], ["send:1", "inquire:2", "send:3", "inquire:4", "send:5"]],
];

/** Side by side: some of them wait for the bank. */
describe("the bank's table", { concurrency: true }, () => {
  for (const [digits, end, records, calls] of rows)
    test(`a refund to an account that ends in ${digits} is ${end}, and banking found out by itself`, async () => {
      const { refundId, content, record } = booked(`220000${digits}`);
      await banking.bus.publish([record]);
      const [said] = await saidOf(banking.bus, refundId);
      const schema = end === "paid" ? RefundPaidOutSchema : RefundNotPaidOutSchema;
      assert.equal(said!.headers.ce_type, schema.typeName);
      if (end === "not-paid") {
        const event = fromBinary(RefundNotPaidOutSchema, said!.value!);
        assert.deepEqual(
          [event.failure?.code, event.merchantAccountId, event.paymentId, event.amount?.minorUnits, event.version],
          ["BANK_REFUSED", content.merchantAccountId, content.paymentId, 250n, 1n],
        );
      }
      assert.deepEqual(
        (await recordsOf(refundId)).map(({ status }) => status),
        records,
      );
      if (calls === undefined) return;
      const made = await banking.database.query<{ id: string }>(
        "SELECT id FROM bank_call WHERE reference = $1 ORDER BY seq",
        [refundId],
      );
      assert.deepEqual(
        made.map(({ id }) => id.replace(":refund:", "")),
        calls,
      );
    });
});

test("hearing of a booking again pays nothing again, and says the end again under the same id", async () => {
  const { refundId, record } = booked("2200000002");
  await banking.bus.publish([record, record]);
  await saidOf(banking.bus, refundId);
  await banking.bus.publish([record]);
  const said = await saidOf(banking.bus, refundId, 2);
  assert.equal(new Set(said.map(({ headers }) => headers.ce_id)).size, 1);
  assert.equal((await recordsOf(refundId)).length, 1);
});

test("no connection to the bank: not paid, and nobody was asked", async () => {
  const { refundId, record } = booked("2200000003", {}, "999");
  await banking.bus.publish([record]);
  const [said] = await saidOf(banking.bus, refundId);
  assert.equal(fromBinary(RefundNotPaidOutSchema, said!.value!).failure?.code, "BANK_UNKNOWN");
  assert.deepEqual(await recordsOf(refundId), []);
});

test("what stays on the platform, and what else the ledger says, is no concern of banking; what cannot be paid goes to the dead letters", async () => {
  const inside = booked("2200000004", { destination: { case: "payerAccountId", value: newUuid() } });
  const others = [RefundNotBookedSchema, RefundTakenBackSchema].map((schema) => {
    const facts = { id: newUuid(), source: "ferry/ledger", time: new Date(), type: schema.typeName };
    return { ...inside.record, value: toBinary(schema, create(schema, {})), headers: writeHeaders(facts) };
  });
  const bad = booked("2200000004", { amount: { currency: "EUR", minorUnits: -1n } });
  const good = booked("2200000004");
  await banking.bus.publish([inside.record, ...others, bad.record, good.record]);
  await saidOf(banking.bus, good.refundId);
  await until("the dead letter", () =>
    banking.bus.records(deadLetterTopic(HEARD)).find(({ key }) => key === bad.refundId),
  );
  const payouts = await banking.database.query("SELECT 1 FROM refund_payout WHERE refund_id = ANY($1)", [
    [inside.refundId, bad.refundId],
  ]);
  assert.deepEqual(payouts, []);
});

test("a payout that its instance left in the middle is taken over: the bank is asked first, and pays once", async () => {
  const { refundId, record } = booked("2200009505");
  await banking.bus.publish([record]);
  await until("a call", async () => {
    const [call] = await banking.database.query("SELECT 1 FROM bank_call WHERE reference = $1", [refundId]);
    return call;
  });
  await banking.stop();
  banking = await startBanking({ url: testDatabase.url, bankUrl });
  await banking.database.query("UPDATE refund_payout SET due_at = now() WHERE state = 'paying'"); // Its lease is over.
  const [said] = await saidOf(banking.bus, refundId);
  assert.equal(said!.headers.ce_type, RefundPaidOutSchema.typeName);
  assert.deepEqual(
    (await recordsOf(refundId)).map(({ status }) => status),
    ["done"],
  );
});

test("whatever is asked about payouts goes by an index, once there are many", async () => {
  const asked = await statementsOf(banking.database, async () => {
    const { refundId, record } = booked("2200000005");
    await banking.bus.publish([record]);
    await saidOf(banking.bus, refundId);
  });
  for (const [name, text] of Object.entries(payoutStatements)) assert.ok(asked.has(text), `${name} was asked`);
  await assertIndexed(banking.database, asked);
});
