import { test } from "node:test";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { as, asOperator, startTransfers, transferTemplate } from "../transfer.fixture.ts";

const { COMPLETED, FAILED, CANCELED, PARKED } = TransferState;
const reason = "seen in the books";

test("whatever a route and its saga ask goes by an index, once there are many transfers", async (t) => {
  const { url, drop } = await createTestDatabase(transferTemplate);
  const transfers = await startTransfers({ url, parkAfterMs: 100 });
  t.after(async () => {
    await transfers.stop();
    await drop();
  });
  const memberId = newUuid();
  const sourceAccountId = transfers.directory.openAccount(memberId);
  const { client, operators, others } = transfers;
  const parked = async () => (await transfers.create(memberId, { sourceAccountId })).transfer!.id;

  const asked = await statementsOf(transfers.database, async () => {
    const key = newUuid();
    const { transfer } = await transfers.create(memberId, { sourceAccountId }, { key });
    await transfers.create(memberId, { sourceAccountId }, { key });
    await transfers.reached(memberId, transfer!.id, COMPLETED);
    others.play({ send: ["BANK_REFUSED"] });
    await transfers.create(memberId, { sourceAccountId });
    others.play({ send: ["unknown"], inquire: ["unknown"], void: ["PAYMENT_VOIDED"] });
    const [first, second] = [await parked(), await parked()];
    await transfers.reached(memberId, first, PARKED);
    await operators.listParkedSagas({ pageSize: 1 }, asOperator);
    await operators.undoSaga({ sagaId: first, reason }, asOperator);
    await transfers.reached(memberId, first, FAILED);
    others.play({ inquire: ["done"] });
    await operators.resumeSaga({ sagaId: second, reason }, asOperator);
    await transfers.reached(memberId, second, COMPLETED);
    others.play({ verify: ["silent"] });
    const waiting = await transfers.create(memberId, { sourceAccountId }, { waitSeconds: 0 });
    await client.cancelTransfer({ transferId: waiting.transfer!.id }, as(memberId));
    await transfers.reached(memberId, waiting.transfer!.id, CANCELED);
    for (const state of [TransferState.UNSPECIFIED, FAILED])
      await client.listTransfers({ state, pageSize: 2 }, as(memberId));
  });
  await assertIndexed(transfers.database, asked);
});
