import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RefundNotPaidOutSchema, RefundPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  RefundBookedSchema,
  RefundNotBookedSchema,
  RefundTakenBackSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  PaymentState,
  RefundCompletedSchema,
  RefundFailedSchema,
  RefundRequestedSchema,
  RefundState,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { deadLetterTopic, writeHeaders } from "@ferry/platform/events";
import { newTraceparent } from "@ferry/platform/telemetry";
import { as } from "../../test/support/credentials.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { announceAgainAfter, paymentTemplate, startPayments } from "./payment.fixture.ts";

const SAID = "ferry.payment.events.v1";
let testDatabase: TestDatabase;
let payments: Awaited<ReturnType<typeof startPayments>>;
const [payer, merchant] = [newUuid(), newUuid()];
let sourceAccountId: string;
let merchantAccountId: string;

before(async () => {
  testDatabase = await createTestDatabase(paymentTemplate);
  payments = await startPayments({ url: testDatabase.url });
  sourceAccountId = payments.directory.openAccount(payer);
  merchantAccountId = payments.directory.openAccount(merchant);
});
after(async () => {
  await payments.stop();
  await testDatabase.drop();
});

const { REQUESTED, BOOKED, COMPLETED, FAILED } = RefundState;
const because = (reason: string) => (error: FerryError) => error.reason === reason;
const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });
const bankAccount = { bankCode: "081", accountNumber: "2200009402" };
const failure = { code: "BANK_REFUSED", message: "the bank refused the payment" };
const towardsBank = { destination: { case: "bankAccount" as const, value: bankAccount } };

/** A completed payment of 10.00. */
async function newPayment(): Promise<string> {
  payments.others.play({});
  const { payment } = await payments.pay(payer, { sourceAccountId, merchantAccountId });
  assert.equal(payment?.state, PaymentState.COMPLETED);
  return payment.id;
}

/** Says something of a refund, as ledger or banking would. */
async function say<S extends DescMessage>(schema: S, refundId: string, content: object = {}): Promise<void> {
  const message = create(schema, { refundId, version: 1n, ...content } as unknown as MessageInitShape<S>);
  const topic = schema.typeName.startsWith("ferry.banking") ? "ferry.banking.events.v1" : "ferry.ledger.events.v1";
  const facts = { id: newUuid(), source: "ferry/others", time: new Date(), type: schema.typeName };
  await payments.bus.publish([
    { topic, key: refundId, value: toBinary(schema, message), headers: writeHeaders(facts) },
  ]);
}

const eventsOf = (refundId: string) => payments.bus.records(SAID).filter(({ key }) => key === refundId);
const read = async (paymentId: string, refundId: string) =>
  (await payments.client.getRefund({ paymentId, refundId }, as(merchant))).refund!;
const reached = (paymentId: string, refundId: string, state: RefundState) =>
  until(`state ${state} of refund ${refundId}`, async () => {
    const refund = await read(paymentId, refundId);
    return refund.state === state ? refund : undefined;
  });
const refundedOf = async (paymentId: string) =>
  (await payments.client.getPayment({ paymentId }, as(payer))).payment?.refunded?.minorUnits;

test("a refund is announced with all that the others need, and ends when the ledger has booked it to the payer", async () => {
  const paymentId = await newPayment();
  const traceparent = newTraceparent();
  const { refund, replayed } = await payments.refund(merchant, { paymentId }, { traceparent });
  assert.ok(refund);
  assert.deepEqual([refund.state, refund.amount?.minorUnits, replayed], [REQUESTED, 400n, false]);
  const [record] = await until("the announcement", () =>
    eventsOf(refund.id).length > 0 ? eventsOf(refund.id) : undefined,
  );
  assert.deepEqual(
    [record!.headers.ce_type, record!.headers.ce_id],
    [RefundRequestedSchema.typeName, `${refund.id}:1`],
  );
  assert.equal(record!.headers.traceparent?.slice(3, 35), traceparent.slice(3, 35));
  const event = fromBinary(RefundRequestedSchema, record!.value!);
  assert.deepEqual(
    [
      event.paymentId,
      event.merchantMemberId,
      event.merchantAccountId,
      event.destination.value,
      event.memo,
      event.version,
    ],
    [paymentId, merchant, merchantAccountId, sourceAccountId, "sorry", 1n],
  );
  assert.equal(await refundedOf(paymentId), 400n);

  await say(RefundBookedSchema, refund.id, { destination: { case: "payerAccountId", value: sourceAccountId } });
  await reached(paymentId, refund.id, COMPLETED);
  const said = await until("the end", () => eventsOf(refund.id)[1]);
  assert.equal(said.headers.ce_type, RefundCompletedSchema.typeName);
  const end = fromBinary(RefundCompletedSchema, said.value!);
  assert.deepEqual(
    [end.memberId, end.merchantMemberId, end.version, end.refund?.state],
    [payer, merchant, 2n, COMPLETED],
  );
  const seen = await payments.client.getRefund({ paymentId, refundId: refund.id.toUpperCase() }, as(payer));
  assert.equal(seen.refund?.id, refund.id);
});

test("towards a bank: booked, then paid out; or taken back, and its amount is free again", async () => {
  const paymentId = await newPayment();
  const [paid, refused] = await Promise.all(
    [1, 2].map(async () => (await payments.refund(merchant, { paymentId, bankAccount })).refund!.id),
  );
  for (const id of [paid!, refused!]) {
    await say(RefundBookedSchema, id, towardsBank);
    await reached(paymentId, id, BOOKED);
  }
  await say(RefundPaidOutSchema, paid!);
  await reached(paymentId, paid!, COMPLETED);
  await say(RefundNotPaidOutSchema, refused!, { failure });
  assert.equal(await refundedOf(paymentId), 800n, "as long as the ledger has not taken it back");
  await say(RefundTakenBackSchema, refused!, { failure, version: 2n });
  const failed = await reached(paymentId, refused!, FAILED);
  assert.equal(failed.failure?.code, "BANK_REFUSED");
  assert.equal(await refundedOf(paymentId), 400n);
  const said = await until("the end", () => eventsOf(refused!)[1]);
  assert.equal(said.headers.ce_type, RefundFailedSchema.typeName);
});

test("news that come doubled, late or in another order change nothing more, and are not told again", async () => {
  const paymentId = await newPayment();
  const ids = await Promise.all(
    [1, 2].map(async () => (await payments.refund(merchant, { paymentId, bankAccount })).refund!.id),
  );
  const [paid, failed] = ids as [string, string];
  await say(RefundPaidOutSchema, paid); // Before its booking was heard of.
  await reached(paymentId, paid, COMPLETED);
  await say(RefundTakenBackSchema, failed, { failure, version: 2n });
  await reached(paymentId, failed, FAILED);
  for (const id of ids) {
    await say(RefundBookedSchema, id, towardsBank);
    await say(RefundNotBookedSchema, id, { failure });
    await say(RefundTakenBackSchema, id, { failure, version: 2n });
    await say(RefundPaidOutSchema, id);
  }
  const last = (await payments.refund(merchant, { paymentId, amount: euros(1n) })).refund!.id;
  await say(RefundNotBookedSchema, last, { failure: { code: "INSUFFICIENT_BALANCE", message: "short" } });
  await until("its end", () => eventsOf(last)[1]); // All that was said before was heard by now, and what came of it told.
  await say(RefundPaidOutSchema, last);
  assert.deepEqual([(await read(paymentId, paid)).state, (await read(paymentId, failed)).state], [COMPLETED, FAILED]);
  for (const id of ids) assert.equal(eventsOf(id).length, 2);
  assert.equal(await refundedOf(paymentId), 400n);
});

test("parts up to the whole, and never more, also when they are asked for at once", async () => {
  const paymentId = await newPayment();
  const asked = await Promise.allSettled(
    Array.from({ length: 12 }, () => payments.refund(merchant, { paymentId, amount: euros(150n) })),
  );
  const granted = asked.filter(({ status }) => status === "fulfilled");
  assert.equal(granted.length, 6);
  for (const each of asked)
    if (each.status === "rejected") assert.equal((each.reason as FerryError).reason, "REFUND_EXCEEDS_PAYMENT");
  assert.equal(await refundedOf(paymentId), 900n);
  await payments.refund(merchant, { paymentId, amount: euros(100n) });
  const more = payments.refund(merchant, { paymentId, amount: euros(1n) });
  await assert.rejects(more, because("REFUND_EXCEEDS_PAYMENT"));
  const page = await payments.client.listRefunds({ paymentId, pageSize: 5 }, as(payer));
  const rest = await payments.client.listRefunds({ paymentId, pageToken: page.nextPageToken }, as(merchant));
  assert.deepEqual([page.refunds.length, rest.refunds.length, rest.nextPageToken], [5, 2, ""]);
  assert.equal(new Set([...page.refunds, ...rest.refunds].map(({ id }) => id)).size, 7);
});

test("the same key gets the same refund, also at once and for a suspended merchant; another body is refused", async () => {
  const paymentId = await newPayment();
  const key = newUuid();
  const all = await Promise.all(Array.from({ length: 10 }, () => payments.refund(merchant, { paymentId }, { key })));
  assert.equal(new Set(all.map(({ refund }) => refund?.id)).size, 1);
  assert.equal(all.filter(({ replayed }) => !replayed).length, 1);
  assert.equal(await refundedOf(paymentId), 400n);
  const other = payments.refund(merchant, { paymentId, amount: euros(1n) }, { key });
  await assert.rejects(other, because("IDEMPOTENCY_KEY_REUSED"));
  payments.directory.suspended.add(merchant);
  const replay = await payments.refund(merchant, { paymentId: paymentId.toUpperCase() }, { key });
  assert.deepEqual([replay.refund?.id, replay.replayed], [all[0]!.refund!.id, true]);
  payments.directory.suspended.delete(merchant);
});

test("whoever is not the merchant cannot refund, and learns nothing", async () => {
  const paymentId = await newPayment();
  for (const member of [payer, newUuid()])
    await assert.rejects(payments.refund(member, { paymentId }), because("NOT_FOUND"));
  await assert.rejects(payments.refund(merchant, { paymentId: newUuid() }), because("NOT_FOUND"));
  const dollars = payments.refund(merchant, { paymentId, amount: { currency: "USD", minorUnits: 1n } });
  await assert.rejects(dollars, because("CURRENCY_MISMATCH"));
  await assert.rejects(payments.refund(merchant, { paymentId, amount: euros(0n) }), because("INVALID_REQUEST"));
  const { refund } = await payments.refund(merchant, { paymentId });
  const stranger = as(newUuid());
  const refundId = refund!.id;
  await assert.rejects(payments.client.getRefund({ paymentId, refundId }, stranger), because("NOT_FOUND"));
  await assert.rejects(payments.client.listRefunds({ paymentId }, stranger), because("NOT_FOUND"));
  const elsewhere = payments.client.getRefund({ paymentId: newUuid(), refundId }, as(merchant));
  await assert.rejects(elsewhere, because("NOT_FOUND"));
});

test("who waits hears of the end; news of no refund, and of one that is not known, do no harm", async () => {
  const paymentId = await newPayment();
  const key = newUuid();
  const { refund } = await payments.refund(merchant, { paymentId }, { key });
  const waited = payments.refund(merchant, { paymentId }, { key, waitSeconds: 10 });
  await say(RefundBookedSchema, "nonsense");
  await say(RefundBookedSchema, newUuid());
  await say(RefundBookedSchema, refund!.id, { destination: { case: "payerAccountId", value: sourceAccountId } });
  const end = await waited;
  assert.deepEqual([end.refund?.state, end.replayed], [COMPLETED, true]);
  await until("the dead letter", () =>
    payments.bus.records(deadLetterTopic("ferry.ledger.events.v1")).find(({ key }) => key === "nonsense"),
  );
});

test("a refund that does not end is announced again, word for word, after ever longer pauses, and not once it has ended", async () => {
  const paymentId = await newPayment();
  const { refund } = await payments.refund(merchant, { paymentId });
  const refundId = refund!.id;
  const announceAgain = (minutes: number) => announceAgainAfter(payments, refundId, minutes);
  assert.equal(await announceAgain(0), 0, "not yet");
  assert.equal(await announceAgain(6), 1);
  assert.equal(await announceAgain(6), 0, "the second pause is twice as long");
  assert.equal(await announceAgain(11), 1);
  const said = await until("three announcements", () =>
    eventsOf(refundId).length === 3 ? eventsOf(refundId) : undefined,
  );
  assert.equal(new Set(said.map(({ headers }) => headers.ce_id)).size, 1);
  for (const { value } of said) assert.deepEqual(value, said[0]!.value);
  await say(RefundBookedSchema, refundId, { destination: { case: "payerAccountId", value: sourceAccountId } });
  await reached(paymentId, refundId, COMPLETED);
  assert.equal(await announceAgain(100_000), 0, "it has ended");
});
