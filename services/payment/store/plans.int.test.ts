import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { RefundNotBookedSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { PaymentState, RefundState, TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { writeHeaders } from "@ferry/platform/events";
import { as, asOperator } from "../../../test/support/credentials.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { until } from "../../../test/support/until.ts";
import { announceAgainAfter, paymentTemplate, startPayments } from "../payment.fixture.ts";

type Payments = Awaited<ReturnType<typeof startPayments>>;

/** A top-up that is parked and resumed, and one that is asked for twice. */
async function topUps(payments: Payments, memberId: string, accountId: string): Promise<void> {
  const key = newUuid();
  await payments.create(memberId, { accountId }, { key });
  await payments.create(memberId, { accountId }, { key });
  payments.others.play({ credit: ["CURRENCY_MISMATCH", "done"] });
  const { topUp } = await payments.create(memberId, { accountId });
  await payments.operators.listParkedSagas({ pageSize: 1 }, asOperator);
  await payments.operators.resumeSaga({ sagaId: topUp!.id, reason: "mended" }, asOperator);
  await payments.reached(memberId, topUp!.id, TopUpState.COMPLETED);
}

/** A payment with a top-up of its own, refunded and read by both sides; the refund is not booked. */
async function paymentAndRefund(payments: Payments, payer: string, sourceAccountId: string): Promise<string> {
  const { client, others, bus } = payments;
  const merchant = newUuid();
  const merchantAccountId = payments.directory.openAccount(merchant);
  others.play({ hold: ["INSUFFICIENT_BALANCE:10", "done"] });
  const topUp = { bankAccount: { bankCode: "081", accountNumber: "1100000001" } };
  const { payment } = await payments.pay(payer, { sourceAccountId, merchantAccountId, topUp });
  assert.equal(payment?.state, PaymentState.COMPLETED);
  const paymentId = payment.id;
  await assert.rejects(client.cancelPayment({ paymentId }, as(payer)));
  await client.getPayment({ paymentId }, as(payer));
  await client.listPayments({ pageSize: 1 }, as(payer));
  await client.listPayments({ pageSize: 1, received: true }, as(merchant));
  const { refund } = await payments.refund(merchant, { paymentId });
  const refundId = refund!.id;
  const failure = { code: "INSUFFICIENT_BALANCE", message: "short" };
  const value = toBinary(RefundNotBookedSchema, create(RefundNotBookedSchema, { refundId, failure }));
  const facts = { id: newUuid(), source: "ferry/ledger", time: new Date(), type: RefundNotBookedSchema.typeName };
  await bus.publish([{ topic: "ferry.ledger.events.v1", key: refundId, value, headers: writeHeaders(facts) }]);
  await until("the refund to fail", async () => {
    const { refund: found } = await client.getRefund({ paymentId, refundId }, as(payer));
    return found?.state === RefundState.FAILED || undefined;
  });
  await client.listRefunds({ paymentId, pageSize: 1 }, as(merchant));
  return refundId;
}

/** A refund that does not end is announced again. */
async function announceAgain(payments: Payments, refundId: string): Promise<void> {
  await payments.database.query("UPDATE refund SET state = 'REQUESTED', failure_code = NULL WHERE id = $1", [refundId]);
  assert.equal(await announceAgainAfter(payments, refundId, 100), 1);
}

test("whatever a route, a saga and an event ask goes by an index, once there are many rows", async (t) => {
  const { url, drop } = await createTestDatabase(paymentTemplate);
  const payments = await startPayments({ url });
  t.after(async () => {
    await payments.stop();
    await drop();
  });
  const memberId = newUuid();
  const accountId = payments.directory.openAccount(memberId);
  const asked = await statementsOf(payments.database, async () => {
    await topUps(payments, memberId, accountId);
    await announceAgain(payments, await paymentAndRefund(payments, memberId, accountId));
  });
  for (const table of ["FROM payment", "UPDATE payment", "FROM refund", "UPDATE refund", "INSERT INTO refund"])
    assert.ok(
      [...asked.keys()].some((text) => text.includes(table)),
      `${table} was asked`,
    );
  await assertIndexed(payments.database, asked);
});
