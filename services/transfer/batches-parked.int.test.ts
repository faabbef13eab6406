import assert from "node:assert/strict";
import { test } from "node:test";
import {
  TransferBatchLineState,
  TransferBatchMode,
  TransferBatchState,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { as, asOperator, startTransfers, transferTemplate, until } from "./transfer.fixture.ts";

const reason = "the bank was asked by telephone";

test("a line that is parked keeps its batch open, shown as such, until an operator has decided", async (t) => {
  const { url, drop } = await createTestDatabase(transferTemplate);
  const transfers = await startTransfers({ url, parkAfterMs: 100 });
  t.after(async () => {
    await transfers.stop();
    await drop();
  });
  const { batches, others, operators } = transfers;
  const memberId = newUuid();
  const sourceAccountId = transfers.directory.openAccount(memberId);
  const lines = [1, 2, 3].map((line) => ({
    destination: {
      kind: { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: `2000000${line}` } },
    },
    amount: { currency: "EUR", minorUnits: 100n },
  }));

  for (const mode of [TransferBatchMode.BEST_EFFORT, TransferBatchMode.ALL_OR_NOTHING]) {
    others.play({ send: ["unknown"], inquire: ["unknown"] });
    const headers = { "idempotency-key": newUuid(), prefer: "wait=20" };
    const { batch } = await batches.createTransferBatch({ sourceAccountId, mode, lines }, as(memberId, headers));
    assert.equal(batch?.state, TransferBatchState.PARKED, "who waits is told that nothing moves");
    assert.deepEqual([batch.counts?.parked, batch.endTime], [3, undefined]);
    const page = { batchId: batch.id, state: TransferBatchLineState.PARKED };
    const parked = (await batches.listTransferBatchLines(page, as(memberId))).lines;
    assert.equal(parked[0]?.failure?.code, "BANK_OUTCOME_UNKNOWN");
    others.play({ inquire: ["done"], void: ["PAYMENT_VOIDED"] });
    await operators.undoSaga({ sagaId: parked[0].transferId, reason }, asOperator);
    for (const { transferId } of parked.slice(1))
      await operators.resumeSaga({ sagaId: transferId, reason }, asOperator);
    const ended = await until("the batch to end", async () => {
      const found = (await batches.getTransferBatch({ batchId: batch.id }, as(memberId))).batch;
      return found?.state === TransferBatchState.COMPLETED ? found : undefined;
    });
    assert.deepEqual([ended.counts?.completed, ended.counts?.failed, ended.counts?.parked], [2, 1, 0]);
  }
});
