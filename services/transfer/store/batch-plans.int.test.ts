import { test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  TransferBatchLineState,
  TransferBatchMode,
  TransferBatchState,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { assertIndexed, statementsOf } from "../../../test/support/plans.ts";
import { createTestDatabase } from "../../../test/support/postgres.ts";
import { as, startTransfers, transferTemplate, until } from "../transfer.fixture.ts";

const { ALL_OR_NOTHING, BEST_EFFORT } = TransferBatchMode;
const { COMPLETED, FAILED, CANCELED } = TransferBatchState;

test("whatever batches, schedules and expiries ask goes by an index, once there are many", async (t) => {
  const { url, drop } = await createTestDatabase(transferTemplate);
  const transfers = await startTransfers({ url });
  t.after(async () => {
    await transfers.stop();
    await drop();
  });
  const memberId = newUuid();
  const sourceAccountId = transfers.directory.openAccount(memberId);
  const { batches, others } = transfers;
  const bankAccount = { bankCode: "081", accountNumber: "20000001" };
  const lines = Array.from({ length: 8 }, (_, index) => ({
    destination: { kind: { case: "bankAccount" as const, value: bankAccount } },
    amount: { currency: "EUR", minorUnits: BigInt(index) },
  }));
  const send = async (mode: TransferBatchMode, more: { expireTime?: ReturnType<typeof timestampFromMs> } = {}) => {
    const wanted = mode === ALL_OR_NOTHING ? lines.slice(1) : lines;
    const request = { sourceAccountId, mode, lines: wanted, ...more };
    return (await batches.createTransferBatch(request, as(memberId, { "idempotency-key": newUuid() }))).batch!.id;
  };
  const reached = (batchId: string, state: TransferBatchState) =>
    until(`state ${state}`, async () => {
      const { batch } = await batches.getTransferBatch({ batchId }, as(memberId));
      return batch?.state === state ? true : undefined;
    });
  const soon = () => timestampFromMs(Date.now() + 4_000);

  const asked = await statementsOf(transfers.database, async () => {
    await reached(await send(BEST_EFFORT), COMPLETED);
    await reached(await send(ALL_OR_NOTHING), COMPLETED);
    others.play({ hold: ["INSUFFICIENT_BALANCE"] });
    await reached(await send(ALL_OR_NOTHING), FAILED);
    others.play({ verify: ["silent"] });
    await reached(await send(BEST_EFFORT, { expireTime: soon() }), FAILED);
    const canceled = await send(BEST_EFFORT);
    await batches.cancelTransferBatch({ batchId: canceled }, as(memberId));
    await reached(canceled, CANCELED);
    await batches.listTransferBatches({ pageSize: 2 }, as(memberId));
    for (const state of [TransferBatchLineState.UNSPECIFIED, TransferBatchLineState.CANCELED])
      await batches.listTransferBatchLines({ batchId: canceled, state }, as(memberId));
    const late = await transfers.create(memberId, { sourceAccountId, expireTime: soon() }, { waitSeconds: 0 });
    await transfers.reached(memberId, late.transfer!.id, TransferState.FAILED);
    others.play({});
    const scheduled = await transfers.create(memberId, { sourceAccountId, executeTime: soon() });
    await transfers.reached(memberId, scheduled.transfer!.id, TransferState.COMPLETED);
    const far = { sourceAccountId, executeTime: timestampFromMs(Date.now() + 86_400_000) };
    const transferId = (await transfers.create(memberId, far)).transfer!.id;
    await transfers.client.cancelTransfer({ transferId }, as(memberId));
    await send(BEST_EFFORT);
  });
  await assertIndexed(transfers.database, asked);
});
