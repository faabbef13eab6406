import assert from "node:assert/strict";
import { test } from "node:test";
import { TransferBatchMode, TransferBatchState } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { as, startTransfers, transferTemplate, until } from "./transfer.fixture.ts";

const BATCHES = 40;
const LINES = 5;
const { COMPLETED, FAILED, CANCELED } = TransferBatchState;

test("all or nothing: a line, or the batch, that is taken back while the last line is held: every line is sent, or none", async (t) => {
  const { url, drop } = await createTestDatabase(transferTemplate);
  const transfers = await startTransfers({ url });
  t.after(async () => {
    await transfers.stop();
    await drop();
  });
  const { batches, others, client, directory } = transfers;
  const memberId = newUuid();
  const sourceAccountId = directory.openAccount(memberId);
  const lines = Array.from({ length: LINES }, (_, line) => ({
    destination: {
      kind: { case: "bankAccount" as const, value: { bankCode: "081", accountNumber: `2000000${line}` } },
    },
    amount: { currency: "EUR", minorUnits: 100n },
  }));

  async function idsOf(batchId: string): Promise<string[]> {
    const found = await batches.listTransferBatchLines({ batchId }, as(memberId));
    return found.lines.map(({ transferId }) => transferId);
  }

  async function race(index: number, turns: number): Promise<"sent" | "undone"> {
    const request = { sourceAccountId, mode: TransferBatchMode.ALL_OR_NOTHING, lines };
    const headers = { "idempotency-key": newUuid() };
    const batchId = (await batches.createTransferBatch(request, as(memberId, headers))).batch!.id;
    const ids = await until("its transfers", async () => {
      const all = await idsOf(batchId);
      return all.includes("") ? undefined : all;
    });
    for (const id of ids.slice(1)) await others.answer(id, "hold", "done");
    const last = others.answer(ids[0]!, "hold", "done");
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
    const taken =
      index % 2 === 0
        ? client.cancelTransfer({ transferId: ids[index % LINES]! }, as(memberId))
        : batches.cancelTransferBatch({ batchId }, as(memberId));
    const [refusal] = await Promise.all([taken.then(() => undefined).catch((error: unknown) => error), last]);
    const ended = await until("the batch to end", async () => {
      const { batch } = await batches.getTransferBatch({ batchId }, as(memberId));
      return [COMPLETED, FAILED, CANCELED].includes(batch!.state as 5) ? batch! : undefined;
    });
    const sent = ids.filter((id) => others.commandsFor(id).includes("send")).length;
    assert.equal(sent, ended.state === COMPLETED ? LINES : 0, `batch ${index}: ${sent} lines were sent`);
    assert.equal(refusal === undefined, ended.state !== COMPLETED, `batch ${index}: what was promised holds`);
    assert.equal(ended.counts?.completed, sent);
    return sent === 0 ? "undone" : "sent";
  }

  others.play({ hold: ["silent"] });
  const ends: string[] = [];
  // Later after one that was undone, and sooner after one that was sent: so it comes as close to the verdict as it can.
  for (let index = 0, turns = 0; index < BATCHES; index++) {
    const end = await race(index, turns);
    turns = end === "undone" ? turns * 2 + 8 : Math.floor(turns / 2);
    ends.push(end);
  }
  t.diagnostic(`${ends.filter((end) => end === "sent").length} of ${BATCHES} were sent`);
  assert.deepEqual([...new Set(ends)].sort(), ["sent", "undone"], "both ends were seen");
});
