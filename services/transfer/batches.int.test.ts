// Over 300 lines because every way of a batch is played on one service, with the same few helpers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type CreateTransferBatchRequestSchema,
  TransferBatchCompletedSchema,
  TransferBatchLineState,
  TransferBatchMode,
  TransferBatchState,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { as, startTransfers, transferTemplate, until } from "./transfer.fixture.ts";

let testDatabase: TestDatabase;
let transfers: Awaited<ReturnType<typeof startTransfers>>;
const memberId = newUuid();
let source: string;

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: testDatabase.url, batchLinesUnderWay: 16 });
  source = transfers.directory.openAccount(memberId);
});
after(async () => {
  await transfers.stop();
  await testDatabase.drop();
});

const { ALL_OR_NOTHING } = TransferBatchMode;
const { SCHEDULED, COMPLETED, FAILED, CANCELED } = TransferBatchState;
const because = (reason: string) => (error: FerryError) => error.reason === reason;

/** Time enough for what is done before then, also where the machine pauses for seconds. */
const soon = () => timestampFromMs(Date.now() + 4_000);

type BatchInit = Omit<MessageInitShape<typeof CreateTransferBatchRequestSchema>, "$typeName" | "$unknown">;

const bankLine = (line: number, more = {}) => ({
  destination: {
    kind: {
      case: "bankAccount" as const,
      value: { bankCode: "081", accountNumber: `2${String(line).padStart(7, "0")}` },
    },
  },
  amount: { currency: "EUR", minorUnits: 100n },
  ...more,
});
const bankLines = (count: number) => Array.from({ length: count }, (_, index) => bankLine(index + 1));

async function send(request: BatchInit, { key = newUuid(), waitSeconds = 0, member = memberId } = {}) {
  const prefer: Record<string, string> = waitSeconds > 0 ? { prefer: `wait=${waitSeconds}` } : {};
  const headers = { "idempotency-key": key, ...prefer };
  const { batch, replayed } = await transfers.batches.createTransferBatch(
    { sourceAccountId: source, ...request },
    as(member, headers),
  );
  return { ...batch!, replayed };
}

const get = async (batchId: string) => (await transfers.batches.getTransferBatch({ batchId }, as(memberId))).batch!;

const reached = (batchId: string, state: TransferBatchState) =>
  until(`batch in state ${state}`, async () => {
    const batch = await get(batchId);
    return batch.state === state ? batch : undefined;
  });

async function linesOf(batchId: string, state = TransferBatchLineState.UNSPECIFIED) {
  const page = { batchId, state, pageSize: 1_000 };
  return (await transfers.batches.listTransferBatchLines(page, as(memberId))).lines;
}

const transferIds = (batchId: string, count: number) =>
  until(`${count} transfers`, async () => {
    const ids = (await linesOf(batchId)).map(({ transferId }) => transferId);
    return ids.filter((id) => id !== "").length === count ? ids : undefined;
  });

test("best effort: every line ends with a result of its own, and the batch with an event", async () => {
  transfers.others.play({});
  const payee = transfers.directory.openAccount(newUuid());
  const dollars = transfers.directory.openAccount(newUuid(), { currency: "USD" });
  const to = (accountId: string) => ({ destination: { kind: { case: "accountId" as const, value: accountId } } });
  const bad: [line: object, code: string][] = [
    [bankLine(1, { amount: { currency: "EUR", minorUnits: 0n } }), "INVALID_REQUEST"],
    [bankLine(2, { amount: { currency: "eur", minorUnits: 1n } }), "INVALID_REQUEST"],
    [bankLine(3, { destination: undefined }), "INVALID_REQUEST"],
    [bankLine(4, { memo: "m".repeat(141) }), "INVALID_REQUEST"],
    [bankLine(5, { amount: { currency: "USD", minorUnits: 1n } }), "CURRENCY_MISMATCH"],
    [bankLine(6, { sourceAccountId: newUuid() }), "NOT_FOUND"],
    [bankLine(7, to(newUuid())), "DESTINATION_UNKNOWN"],
    [bankLine(8, to(dollars)), "CURRENCY_MISMATCH"],
    [bankLine(9, to(source.toUpperCase())), "SAME_ACCOUNT"],
  ];
  const good = [...bankLines(60), bankLine(61, to(payee.toUpperCase()))];
  const lines = [...good.slice(0, 30), ...bad.map(([line]) => line), ...good.slice(30)];
  const batch = await send({ lines }, { waitSeconds: 20 });
  assert.equal(batch.state, COMPLETED);
  assert.deepEqual([batch.counts?.completed, batch.counts?.failed, batch.lineCount], [61, 9, 70]);
  const results = await linesOf(batch.id);
  for (const [index, [, code]] of bad.entries()) {
    const { state, failure, transferId } = results[30 + index]!;
    assert.deepEqual([state, failure?.code, transferId], [TransferBatchLineState.FAILED, code, ""], `bad ${index + 1}`);
  }
  const one = results[69]!;
  const { transfer } = await transfers.client.getTransfer({ transferId: one.transferId }, as(memberId));
  assert.deepEqual([transfer?.batchId, transfer?.batchLine, transfer?.state], [batch.id, 70, TransferState.COMPLETED]);
  const events = await until("the event", () => {
    const found = transfers.bus.records("ferry.transfer.events.v1").filter(({ key }) => key === batch.id);
    return found.length > 0 ? found : undefined;
  });
  const event = fromBinary(TransferBatchCompletedSchema, events[0]!.value!);
  assert.deepEqual([events.length, event.memberId, event.batch?.counts?.completed], [1, memberId, 61]);
});

test("the same line twice is paid once: by its reference, or by all that it says", async () => {
  transfers.others.play({});
  const lines = [
    bankLine(1),
    bankLine(1),
    bankLine(1, { reference: "a" }),
    bankLine(2, { reference: "a" }),
    bankLine(1, { memo: "other" }),
    bankLine(1, { amount: { currency: "EUR", minorUnits: 0n }, reference: "b" }),
    bankLine(1, { reference: "b" }),
  ];
  const batch = await send({ lines }, { waitSeconds: 20 });
  assert.deepEqual(
    (await linesOf(batch.id)).map(({ state, failure }) => [state, failure?.message]),
    [
      [TransferBatchLineState.COMPLETED, undefined],
      [TransferBatchLineState.DUPLICATE, "the same accounts, amount and memo as line 1"],
      [TransferBatchLineState.COMPLETED, undefined],
      [TransferBatchLineState.DUPLICATE, 'the same reference "a" as line 3'],
      [TransferBatchLineState.COMPLETED, undefined],
      [TransferBatchLineState.FAILED, "amount: must be above zero"],
      [TransferBatchLineState.DUPLICATE, 'the same reference "b" as line 6'],
    ],
  );
});

test("no more lines are under way than may be; the others begin as these end", async () => {
  transfers.others.play({ verify: ["silent"] });
  const batch = await send({ lines: bankLines(40) });
  const ids = (await transferIds(batch.id, 16)).filter((id) => id !== "");
  assert.deepEqual((await get(batch.id)).counts, { ...batch.counts!, pending: 24, running: 16 });
  transfers.others.play({});
  for (const id of ids) await transfers.others.answer(id, "verify", "done");
  assert.equal((await reached(batch.id, COMPLETED)).counts?.completed, 40);
});

test("all or nothing: nothing is sent before the last line is held, then everything", async () => {
  transfers.others.play({ hold: ["silent"] });
  const batch = await send({ mode: ALL_OR_NOTHING, lines: bankLines(20) });
  const ids = await until("all to have been begun", async () => {
    const all = (await linesOf(batch.id)).map(({ transferId }) => transferId);
    for (const id of all) if (id !== "") await transfers.others.answer(id, "hold", "done");
    return all.includes("") ? undefined : all;
  });
  await reached(batch.id, COMPLETED);
  for (const id of ids) {
    const parts = transfers.others.commandsFor(id);
    assert.deepEqual(parts.filter((part) => part === "send").length, 1);
  }
});

async function gated(count: number) {
  transfers.others.play({ hold: ["silent"] });
  const batch = await send({ mode: ALL_OR_NOTHING, lines: bankLines(count) });
  const ids = await transferIds(batch.id, count);
  for (const id of ids.slice(1)) await transfers.others.answer(id, "hold", "done");
  await until("all but one to be held", async () =>
    (await get(batch.id)).counts?.held === count - 1 ? true : undefined,
  );
  assert.ok(ids.every((id) => !transfers.others.commandsFor(id).includes("send")));
  return { batch, ids };
}

const notOneSent = (ids: readonly string[]) =>
  assert.ok(ids.every((id) => !transfers.others.commandsFor(id).includes("send")));

test("all or nothing: a line that cannot be held undoes all, and each line says why", async () => {
  const { batch, ids } = await gated(5);
  await transfers.others.answer(ids[0]!, "hold", "INSUFFICIENT_BALANCE");
  const ended = await reached(batch.id, FAILED);
  assert.deepEqual(
    [ended.failure?.code, ended.failure?.message],
    ["BATCH_FAILED", "line 1 of the batch failed: INSUFFICIENT_BALANCE"],
  );
  assert.deepEqual(
    (await linesOf(batch.id)).map(({ failure }) => failure?.code),
    ["INSUFFICIENT_BALANCE", ...Array(4).fill("BATCH_FAILED")],
  );
  notOneSent(ids);
  for (const id of ids.slice(1)) assert.ok(transfers.others.commandsFor(id).includes("release"));
});

test("all or nothing: its time is over, and all is undone", async () => {
  transfers.others.play({ hold: ["silent"] });
  const request = { mode: ALL_OR_NOTHING, lines: bankLines(3), expireTime: soon() };
  const batch = await send(request, { waitSeconds: 20 });
  assert.deepEqual([batch.state, batch.failure?.code, batch.counts?.failed], [FAILED, "TRANSFER_EXPIRED", 3]);
});

test("all or nothing: taken back, as a whole or by one of its lines, until every line is held", async () => {
  const first = await gated(3);
  await transfers.batches.cancelTransferBatch({ batchId: first.batch.id }, as(memberId));
  const canceled = await reached(first.batch.id, CANCELED);
  assert.equal(canceled.counts?.canceled, 3);
  await transfers.batches.cancelTransferBatch({ batchId: first.batch.id }, as(memberId));

  const second = await gated(3);
  await transfers.client.cancelTransfer({ transferId: second.ids[2]! }, as(memberId));
  const stopped = await reached(second.batch.id, FAILED);
  assert.deepEqual([stopped.counts?.canceled, stopped.counts?.failed], [1, 2]);
  notOneSent([...first.ids, ...second.ids]);

  transfers.others.play({ send: ["silent"] });
  const third = await send({ mode: ALL_OR_NOTHING, lines: bankLines(3) });
  const ids = await transferIds(third.id, 3);
  await transfers.others.received(ids[0]!, "send");
  const late = transfers.batches.cancelTransferBatch({ batchId: third.id }, as(memberId));
  await assert.rejects(late, because("BATCH_NOT_CANCELABLE"));
  await assert.rejects(
    transfers.client.cancelTransfer({ transferId: ids[2]! }, as(memberId)),
    because("TRANSFER_NOT_CANCELABLE"),
  );
  for (const id of ids) await transfers.others.answer(id, "send", "done");
  await reached(third.id, COMPLETED);
});

test("all or nothing: a line that cannot be paid refuses the batch, named, and nothing is recorded", async () => {
  const lines = [
    bankLine(1),
    bankLine(2, { amount: { currency: "USD", minorUnits: 1n } }),
    bankLine(3, { amount: {} }),
  ];
  const member = newUuid();
  const own = transfers.directory.openAccount(member);
  const refused = send({ mode: ALL_OR_NOTHING, sourceAccountId: own, lines }, { member });
  await assert.rejects(refused, (error: FerryError) => {
    assert.deepEqual(
      [error.reason, error.fields.map(({ field }) => field)],
      ["BATCH_REFUSED", ["lines[1]", "lines[2]"]],
    );
    return true;
  });
  assert.deepEqual((await transfers.batches.listTransferBatches({}, as(member))).batches, []);
});

test("best effort: canceled, what has not been sent is taken back", async () => {
  transfers.others.play({ verify: ["silent"] });
  const batch = await send({ lines: bankLines(30) });
  await transferIds(batch.id, 16);
  const answer = await transfers.batches.cancelTransferBatch({ batchId: batch.id }, as(memberId));
  assert.equal(answer.batch?.failure?.code, "CANCELED_BY_MEMBER");
  const ended = await reached(batch.id, CANCELED);
  assert.deepEqual([ended.counts?.canceled, ended.failure?.code], [30, "CANCELED_BY_MEMBER"]);
});

test("a batch begins at its time, or is taken back before", async () => {
  transfers.others.play({});
  const batch = await send({ lines: bankLines(3), executeTime: soon() }, { waitSeconds: 20 });
  assert.equal(batch.state, SCHEDULED, "nobody waits for it");
  assert.equal((await reached(batch.id, COMPLETED)).counts?.completed, 3);
  const other = await send({ lines: bankLines(3), executeTime: timestampFromMs(Date.now() + 86_400_000) });
  await transfers.batches.cancelTransferBatch({ batchId: other.id }, as(memberId));
  assert.equal((await reached(other.id, CANCELED)).counts?.canceled, 3);

  const member = newUuid();
  const own = transfers.directory.openAccount(member);
  const third = await send({ sourceAccountId: own, lines: bankLines(2), executeTime: soon() }, { member });
  transfers.directory.suspended.add(member);
  await until("its lines to fail", async () => {
    const rows = await transfers.database.query<{ failure_code: string | null }>(
      "SELECT failure_code FROM transfer_batch_line WHERE batch_id = $1",
      [third.id],
    );
    return rows.every(({ failure_code }) => failure_code === "MEMBER_SUSPENDED") ? rows : undefined;
  });
});

test("CSV: read by its header; what is no CSV is refused with line and column", async () => {
  transfers.others.play({});
  const csv = [
    "reference,minorUnits,currency,bankCode,accountNumber,memo",
    'a,150,EUR,081,20000001,"rent, ""May"""',
    "b,1.50,EUR,081,20000002,",
  ];
  const batch = await send({ csv: Buffer.from(csv.join("\r\n")) }, { waitSeconds: 20 });
  const [first, second] = await linesOf(batch.id);
  const { transfer } = await transfers.client.getTransfer({ transferId: first!.transferId }, as(memberId));
  assert.deepEqual([transfer?.memo, transfer?.amount?.minorUnits], ['rent, "May"', 150n]);
  assert.match(second!.failure!.message, /line 3 of the CSV, column minorUnits/);
  for (const [text, message] of [
    ["currency,minorUnits\r\nEUR,1", /line 1, column 3: destinationAccountId, or bankCode/],
    [`${csv[0]}\r\na,1,EUR`, /line 2, column 4: has 3 fields, and the header 6/],
    [`${csv[0]}\r\n"a,1,EUR`, /line 2, column 1: a field begins with a quote and has no end/],
  ] as const)
    await assert.rejects(send({ csv: Buffer.from(text) }), (error: FerryError) => message.test(error.message));
});

test("the same key is the same batch, another body none; another's batch is not there; pages", async () => {
  transfers.others.play({});
  const key = newUuid();
  const first = await send({ lines: bankLines(5) }, { key, waitSeconds: 20 });
  const again = await send({ lines: bankLines(5) }, { key });
  assert.deepEqual([again.id, again.replayed, again.state], [first.id, true, COMPLETED]);
  await assert.rejects(send({ lines: bankLines(4) }, { key }), because("IDEMPOTENCY_KEY_REUSED"));
  await assert.rejects(send({ lines: [] }), because("INVALID_REQUEST"));
  const stranger = newUuid();
  for (const call of ["getTransferBatch", "listTransferBatchLines", "cancelTransferBatch"] as const)
    await assert.rejects(transfers.batches[call]({ batchId: first.id }, as(stranger)), because("NOT_FOUND"));
  const page = { batchId: first.id, pageSize: 2, state: TransferBatchLineState.COMPLETED };
  const one = await transfers.batches.listTransferBatchLines(page, as(memberId));
  const two = await transfers.batches.listTransferBatchLines({ ...page, pageToken: one.nextPageToken }, as(memberId));
  assert.deepEqual(
    [...one.lines, ...two.lines].map(({ line }) => line),
    [1, 2, 3, 4],
  );
  const { batches, nextPageToken } = await transfers.batches.listTransferBatches({ pageSize: 1 }, as(memberId));
  assert.deepEqual([batches[0]?.id, batches[0]?.counts?.completed, nextPageToken !== ""], [first.id, 5, true]);
});

test("so many batches of a member may be under way, and no more; those that begin later have a limit of their own", async () => {
  transfers.others.play({ verify: ["silent"] });
  const member = newUuid();
  const own = { sourceAccountId: transfers.directory.openAccount(member), lines: bankLines(1) };
  const first = await send(own, { member });
  for (let count = 1; count < 20; count++) await send(own, { member });
  await assert.rejects(send(own, { member }), because("RATE_LIMITED"));
  const later = { ...own, executeTime: timestampFromMs(Date.now() + 86_400_000) };
  const planned = await Promise.all(Array.from({ length: 99 }, () => send(later, { member })));
  await send(later, { member });
  await assert.rejects(send(later, { member }), because("RATE_LIMITED"));
  await transfers.batches.cancelTransferBatch({ batchId: planned[0]!.id }, as(member));
  await until("room for one more that begins later", () => send(later, { member }).catch(() => undefined));
  await transfers.batches.cancelTransferBatch({ batchId: first.id }, as(member));
  await until("room for one more", () => send(own, { member }).catch(() => undefined));
});
