import { test } from "node:test";
import { TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { asOperator } from "../../../test/support/credentials.ts";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { paymentTemplate, startPayments } from "../payment.fixture.ts";

test("whatever a route and its saga ask goes by an index, once there are many top-ups", async (t) => {
  const { url, drop } = await createTestDatabase(paymentTemplate);
  const payments = await startPayments({ url });
  t.after(async () => {
    await payments.stop();
    await drop();
  });
  const memberId = newUuid();
  const accountId = payments.directory.openAccount(memberId);

  const asked = await statementsOf(payments.database, async () => {
    const key = newUuid();
    await payments.create(memberId, { accountId }, { key });
    await payments.create(memberId, { accountId }, { key });
    payments.others.play({ credit: ["CURRENCY_MISMATCH", "done"] });
    const { topUp } = await payments.create(memberId, { accountId });
    await payments.operators.listParkedSagas({ pageSize: 1 }, asOperator);
    await payments.operators.resumeSaga({ sagaId: topUp!.id, reason: "mended" }, asOperator);
    await payments.reached(memberId, topUp!.id, TopUpState.COMPLETED);
  });
  await assertIndexed(payments.database, asked);
});
