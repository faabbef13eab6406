import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  TransferCanceledSchema,
  TransferFailedSchema,
  TransferState,
} from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import type { FerryError } from "@ferry/platform/errors";
import { createTestDatabase, type TestDatabase } from "../../test/support/postgres.ts";
import { as, startTransfers, transferTemplate, until } from "./transfer.fixture.ts";

let testDatabase: TestDatabase;
let transfers: Awaited<ReturnType<typeof startTransfers>>;
const memberId = newUuid();
let sourceAccountId: string;

before(async () => {
  testDatabase = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: testDatabase.url });
  sourceAccountId = transfers.directory.openAccount(memberId);
});
after(async () => {
  await transfers.stop();
  await testDatabase.drop();
});

const { SCHEDULED, COMPLETED, FAILED, CANCELED } = TransferState;
const inMs = (ms: number) => timestampFromMs(Date.now() + ms);
const DAY_MS = 86_400_000;
/** Time enough for what is done before then, also where the machine pauses for seconds. */
const SOON_MS = 4_000;

const workLeft = async (id: string) =>
  (await transfers.database.query("SELECT 1 FROM due_work WHERE id = $1", [id])).length;

test("a scheduled transfer waits for its time, then goes its way", async () => {
  transfers.others.play({});
  const executeTime = inMs(SOON_MS);
  const { transfer } = await transfers.create(memberId, { sourceAccountId, executeTime });
  assert.deepEqual([transfer?.state, transfer?.executeTime, transfer?.steps], [SCHEDULED, executeTime, []]);
  assert.deepEqual(transfers.others.commandsFor(transfer!.id), []);
  const ended = await transfers.reached(memberId, transfer!.id, COMPLETED);
  assert.deepEqual([ended.createTime, ended.executeTime], [transfer!.createTime, executeTime]);
  assert.ok(Number(ended.updateTime!.seconds) >= Number(executeTime.seconds));
  assert.equal(await workLeft(transfer!.id), 0);
});

test("a scheduled transfer can be taken back, and a replay shows it as it is", async () => {
  const key = newUuid();
  const request = { sourceAccountId, executeTime: inMs(DAY_MS) };
  const { transfer } = await transfers.create(memberId, request, { key });
  const transferId = transfer!.id;
  const canceled = await transfers.client.cancelTransfer({ transferId }, as(memberId));
  assert.deepEqual([canceled.transfer?.state, canceled.transfer?.failure?.code], [CANCELED, "CANCELED_BY_MEMBER"]);
  const again = await transfers.client.cancelTransfer({ transferId }, as(memberId));
  assert.deepEqual(again.transfer, canceled.transfer);
  assert.deepEqual((await transfers.create(memberId, request, { key })).replayed, true);
  const events = await until("the event", () => {
    const found = transfers.eventsOf(transferId, TransferCanceledSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.deepEqual([events.length, events[0]?.event.transfer?.state], [1, CANCELED]);
  assert.equal(await workLeft(transferId), 0);
});

test("what can no longer be paid when its time comes fails without having begun", async () => {
  const member = newUuid();
  const own = transfers.directory.openAccount(member);
  const { transfer } = await transfers.create(member, { sourceAccountId: own, executeTime: inMs(SOON_MS) });
  transfers.directory.suspended.add(member);
  const events = await until("the event", () => {
    const found = transfers.eventsOf(transfer!.id, TransferFailedSchema);
    return found.length > 0 ? found : undefined;
  });
  assert.equal(events[0]?.event.transfer?.failure?.code, "MEMBER_SUSPENDED");
  assert.deepEqual(transfers.others.commandsFor(transfer!.id), []);
});

test("a transfer that has not been sent by its expire time is undone; one that has been goes on", async () => {
  transfers.others.play({ hold: ["silent"] });
  const late = await transfers.create(memberId, { sourceAccountId, expireTime: inMs(SOON_MS) }, { waitSeconds: 0 });
  const failed = await transfers.reached(memberId, late.transfer!.id, FAILED);
  assert.equal(failed.failure?.code, "TRANSFER_EXPIRED");
  assert.ok(transfers.others.commandsFor(late.transfer!.id).includes("release"));

  transfers.others.play({ send: ["silent"] });
  const sent = await transfers.create(memberId, { sourceAccountId, expireTime: inMs(SOON_MS) }, { waitSeconds: 0 });
  const { id } = sent.transfer!;
  await transfers.others.received(id, "send");
  await until("its time to be over", async () => ((await workLeft(id)) === 0 ? true : undefined));
  await transfers.others.answer(id, "send", "done");
  assert.equal((await transfers.reached(memberId, id, COMPLETED)).failure, undefined);
});

test("times that cannot be are refused", async () => {
  for (const [times, field] of [
    [{ executeTime: inMs(-1_000) }, "execute_time"],
    [{ executeTime: inMs(367 * DAY_MS) }, "execute_time"],
    [{ expireTime: inMs(-1_000) }, "expire_time"],
    [{ executeTime: inMs(2 * DAY_MS), expireTime: inMs(DAY_MS) }, "expire_time"],
  ] as const)
    await assert.rejects(transfers.create(memberId, { sourceAccountId, ...times }), (error: FerryError) => {
      assert.deepEqual([error.reason, error.fields.map((each) => each.field)], ["INVALID_REQUEST", [field]]);
      return true;
    });
});
