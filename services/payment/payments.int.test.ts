import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PlaceHoldRequest } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import {
  PaymentCanceledSchema,
  PaymentCompletedSchema,
  PaymentFailedSchema,
  PaymentState,
  StepState,
  TopUpState,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { newTraceparent } from "@ferry/platform/telemetry";
import { as, asOperator } from "../../test/support/credentials.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { until } from "../../test/support/until.ts";
import { paymentTemplate, startPayments } from "./payment.fixture.ts";

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

const { COMPLETED, FAILED, CANCELED, TOPPING_UP, HELD } = PaymentState;
const because = (reason: string) => (error: FerryError) => error.reason === reason;
const topUp = { bankAccount: { bankCode: "081", accountNumber: "1100000001" } };
const euros = (minorUnits: bigint) => ({ currency: "EUR", minorUnits });

const pay = (request: Parameters<typeof payments.pay>[1] = {}, asked: Parameters<typeof payments.pay>[2] = {}) =>
  payments.pay(payer, { sourceAccountId, merchantAccountId, ...request }, asked);

/** The top-up that a payment began. */
async function topUpOf(topUpId: string) {
  const { topUp: found } = await payments.client.getTopUp({ topUpId }, as(payer));
  assert.ok(found);
  return found;
}

test("with enough money: held, settled, told by an event; its merchant sees it without the payer's side", async () => {
  payments.others.play({});
  const traceparent = newTraceparent();
  const { payment, replayed } = await pay({ topUp }, { traceparent });
  assert.ok(payment);
  assert.deepEqual([payment.state, payment.failure, payment.topUpId, replayed], [COMPLETED, undefined, "", false]);
  assert.deepEqual(
    payment.steps.map(({ name, state }) => [name, state]),
    [
      ["place-hold", StepState.DONE],
      ["top-up", StepState.NOT_NEEDED],
      ["place-hold-again", StepState.NOT_NEEDED],
      ["settle", StepState.DONE],
    ],
  );
  assert.deepEqual(payments.others.commandsFor(payment.id), ["hold", "settle"]);
  const { event, headers } = await payments.eventOf(payment.id, PaymentCompletedSchema);
  assert.deepEqual([event.memberId, event.merchantMemberId, event.payment?.state], [payer, merchant, COMPLETED]);
  assert.equal(headers.traceparent?.slice(3, 35), traceparent.slice(3, 35));

  const { payment: seen } = await payments.client.getPayment({ paymentId: payment.id }, as(merchant));
  assert.deepEqual([seen?.id, seen?.amount?.minorUnits, seen?.memo], [payment.id, 1_000n, "coffee"]);
  assert.deepEqual([seen?.sourceAccountId, seen?.topUp, seen?.steps], ["", undefined, []]);
  const stranger = payments.client.getPayment({ paymentId: payment.id }, as(newUuid()));
  await assert.rejects(stranger, because("NOT_FOUND"));
});

test("too little money and no top-up: FAILED, and its merchant never hears of it", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE"] });
  const { payment } = await pay();
  assert.deepEqual([payment?.state, payment?.failure?.code], [FAILED, "INSUFFICIENT_BALANCE"]);
  const [asked] = payments.others.envelopesFor(payment!.id);
  assert.equal((asked!.message as PlaceHoldRequest).provisional, false);
  const seen = payments.client.getPayment({ paymentId: payment!.id }, as(merchant));
  await assert.rejects(seen, because("NOT_FOUND"));
  await payments.eventOf(payment!.id, PaymentFailedSchema);
});

test("short: it brings in what is missing by a top-up of its own, waits for it, and goes on", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "done"] });
  const { payment } = await pay({ topUp });
  assert.ok(payment);
  assert.equal(payment.state, COMPLETED);
  assert.deepEqual(payments.others.commandsFor(payment.id), ["hold", "hold", "settle"]);
  const began = await topUpOf(payment.topUpId);
  assert.deepEqual(
    [began.state, began.amount?.minorUnits, began.accountId, began.paymentId],
    [TopUpState.COMPLETED, 300n, sourceAccountId, payment.id],
  );
  assert.deepEqual(payments.others.commandsFor(began.id), ["collect", "credit"]);
  await payments.eventOf(payment.id, PaymentCompletedSchema);
});

test("a stated amount is brought in when it is enough; below what is missing nothing is", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "done"] });
  const more = await pay({ topUp: { ...topUp, amount: euros(5_000n) } });
  assert.equal((await topUpOf(more.payment!.topUpId)).amount?.minorUnits, 5_000n);
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "INSUFFICIENT_BALANCE"] });
  const { payment } = await pay({ topUp: { ...topUp, amount: euros(299n) } });
  assert.deepEqual([payment?.state, payment?.failure?.code, payment?.topUpId], [FAILED, "INSUFFICIENT_BALANCE", ""]);
});

test("a top-up that is refused fails the payment with its reason; the question for the hold is taken back", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300"], collect: ["MANDATE_MISSING"] });
  const { payment } = await pay({ topUp });
  assert.deepEqual([payment?.state, payment?.failure?.code], [FAILED, "MANDATE_MISSING"]);
  assert.deepEqual(payments.others.commandsFor(payment!.id), ["hold", "release"]);
  assert.equal((await topUpOf(payment!.topUpId)).state, TopUpState.FAILED);
});

test("when somebody else has spent what was brought in: the payment fails, and the top-up stays", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "INSUFFICIENT_BALANCE"] });
  const { payment } = await pay({ topUp });
  assert.deepEqual([payment?.state, payment?.failure?.code], [FAILED, "INSUFFICIENT_BALANCE"]);
  assert.equal((await topUpOf(payment!.topUpId)).state, TopUpState.COMPLETED);
});

test("a parked top-up keeps its payment waiting; once it is resumed the payment goes on", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "done"], credit: ["CURRENCY_MISMATCH", "done"] });
  const { payment } = await pay({ topUp }, { waitSeconds: 0 });
  const { topUpId } = await payments.paid(payer, payment!.id, TOPPING_UP);
  await payments.reached(payer, topUpId, TopUpState.PARKED);
  assert.equal((await payments.client.getPayment({ paymentId: payment!.id }, as(payer))).payment?.state, TOPPING_UP);
  await payments.operators.resumeSaga({ sagaId: topUpId, reason: "mended" }, asOperator);
  await payments.paid(payer, payment!.id, COMPLETED);
});

test("canceled while its top-up is at the bank: the money comes all the same, and the payment is taken back", async () => {
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE:300", "done"], collect: ["silent"] });
  const { payment } = await pay({ topUp }, { waitSeconds: 0 });
  const paymentId = payment!.id;
  const { topUpId } = await payments.paid(payer, paymentId, TOPPING_UP);
  await payments.others.received(topUpId, "collect");
  for (const _ of [1, 2]) await payments.client.cancelPayment({ paymentId }, as(payer));
  await payments.others.answer(topUpId, "collect", "done");
  const canceled = await payments.paid(payer, paymentId, CANCELED);
  assert.equal(canceled.failure?.code, "CANCELED_BY_MEMBER");
  await payments.reached(payer, topUpId, TopUpState.COMPLETED);
  assert.deepEqual(payments.others.commandsFor(paymentId), ["hold", "release"]);
  await payments.eventOf(paymentId, PaymentCanceledSchema);
  await payments.client.cancelPayment({ paymentId }, as(payer));
});

test("past its pivot a payment is not canceled, and goes on until it is settled", async () => {
  payments.others.play({ settle: ["silent"] });
  const { payment } = await pay({}, { waitSeconds: 0 });
  const paymentId = payment!.id;
  await payments.paid(payer, paymentId, HELD);
  await payments.others.received(paymentId, "settle");
  await assert.rejects(payments.client.cancelPayment({ paymentId }, as(payer)), because("PAYMENT_NOT_CANCELABLE"));
  await assert.rejects(payments.client.cancelPayment({ paymentId }, as(merchant)), because("NOT_FOUND"));
  await payments.others.answer(paymentId, "settle", "UNAVAILABLE");
  payments.others.play({});
  await payments.paid(payer, paymentId, COMPLETED);
  await assert.rejects(payments.client.cancelPayment({ paymentId }, as(payer)), because("PAYMENT_NOT_CANCELABLE"));
});

test("the same key and body gets the same payment, whatever the spelling and the member's state; another body is refused", async () => {
  payments.others.play({});
  const member = newUuid();
  const from = payments.directory.openAccount(member);
  const key = newUuid();
  const ask = (request: object) =>
    payments.pay(member, { sourceAccountId: from, merchantAccountId, ...request }, { key });
  const all = await Promise.all(Array.from({ length: 20 }, () => ask({})));
  const { id } = all[0]!.payment!;
  assert.ok(all.every(({ payment }) => payment?.id === id && payment.state === COMPLETED));
  assert.equal(all.filter(({ replayed }) => !replayed).length, 1);
  assert.deepEqual(payments.others.commandsFor(id), ["hold", "settle"]);
  payments.directory.suspended.add(member);
  const replay = await ask({ sourceAccountId: from.toUpperCase() });
  assert.deepEqual([replay.payment?.id, replay.replayed], [id, true]);
  await assert.rejects(ask({ memo: "tea" }), because("IDEMPOTENCY_KEY_REUSED"));
  await assert.rejects(pay({ sourceAccountId: from }), because("NOT_FOUND"));
  const other = payments.pay(member, { sourceAccountId: from, merchantAccountId });
  await assert.rejects(other, because("MEMBER_SUSPENDED"));
});

test("a request that must not be recorded is refused with its reason, and nothing is recorded", async () => {
  const { directory } = payments;
  const member = newUuid();
  const own = directory.openAccount(member);
  const refusals: [request: Parameters<typeof payments.pay>[1], reason: string][] = [
    [{ sourceAccountId: newUuid() }, "NOT_FOUND"],
    [{ sourceAccountId }, "NOT_FOUND"],
    [{ sourceAccountId: directory.openAccount(member, { closed: true }) }, "ACCOUNT_CLOSED"],
    [{ merchantAccountId: newUuid() }, "DESTINATION_UNKNOWN"],
    [{ merchantAccountId: directory.openAccount(member) }, "SAME_ACCOUNT"],
    [{ merchantAccountId: directory.openAccount(merchant, { currency: "USD" }) }, "CURRENCY_MISMATCH"],
    [{ topUp: { ...topUp, amount: { currency: "USD", minorUnits: 1n } } }, "CURRENCY_MISMATCH"],
    [{ topUp: { ...topUp, amount: euros(0n) } }, "INVALID_REQUEST"],
    [{ amount: euros(0n) }, "INVALID_REQUEST"],
    [{ topUp: {} }, "INVALID_REQUEST"],
  ];
  for (const [request, reason] of refusals)
    await assert.rejects(
      payments.pay(member, { sourceAccountId: own, merchantAccountId, ...request }),
      because(reason),
      reason,
    );
  assert.deepEqual(await payments.database.query("SELECT 1 FROM payment WHERE member_id = $1", [member]), []);
});

test("lists: what was made, and what was received, newest first, page by page", async () => {
  payments.others.play({});
  const [buyer, seller] = [newUuid(), newUuid()];
  const from = payments.directory.openAccount(buyer);
  const to = payments.directory.openAccount(seller);
  const ids: string[] = [];
  for (let count = 0; count < 3; count++)
    ids.unshift((await payments.pay(buyer, { sourceAccountId: from, merchantAccountId: to })).payment!.id);
  payments.others.play({ hold: ["INSUFFICIENT_BALANCE"] });
  const failed = (await payments.pay(buyer, { sourceAccountId: from, merchantAccountId: to })).payment!.id;

  const first = await payments.client.listPayments({ pageSize: 3 }, as(buyer));
  assert.deepEqual(
    first.payments.map(({ id }) => id),
    [failed, ...ids.slice(0, 2)],
  );
  const second = await payments.client.listPayments({ pageSize: 3, pageToken: first.nextPageToken }, as(buyer));
  assert.deepEqual([second.payments.map(({ id }) => id), second.nextPageToken], [ids.slice(2), ""]);
  const received = await payments.client.listPayments({ received: true }, as(seller));
  assert.deepEqual(
    received.payments.map(({ id }) => id),
    ids,
  );
  assert.ok(received.payments.every((payment) => payment.sourceAccountId === ""));
  const only = await payments.client.listPayments({ state: FAILED }, as(buyer));
  assert.deepEqual(
    only.payments.map(({ id }) => id),
    [failed],
  );
  const strange = payments.client.listPayments({ pageToken: first.nextPageToken }, as(seller));
  await assert.rejects(strange, because("PAGE_TOKEN_INVALID"));
});

test("a payment under way is found at its end by whoever waits for it a second time", async () => {
  payments.others.play({ settle: ["silent"] });
  const key = newUuid();
  const { payment } = await pay({}, { key, waitSeconds: 0 });
  await payments.others.received(payment!.id, "settle");
  const waited = pay({}, { key });
  await payments.others.answer(payment!.id, "settle", "done");
  const end = await waited;
  assert.deepEqual([end.payment?.state, end.replayed], [COMPLETED, true]);
  await until("no saga under way", async () => {
    const open = await payments.database.query("SELECT 1 FROM saga WHERE status = 'running'");
    return open.length === 0 || undefined;
  });
});
