import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createTestDatabase } from "../../test/support/postgres.ts";
import { as, startTransfers, transferTemplate } from "./transfer.fixture.ts";

let created: { url: string; drop(): Promise<void> };
let transfers: Awaited<ReturnType<typeof startTransfers>>;
before(async () => {
  created = await createTestDatabase(transferTemplate);
  transfers = await startTransfers({ url: created.url });
});
after(async () => {
  await transfers.stop();
  await created.drop();
});

test("a watched transfer is told at each change, with rising versions, and the stream ends with it", async () => {
  const memberId = newUuid();
  const sourceAccountId = transfers.directory.openAccount(memberId);
  transfers.others.play({ send: ["unknown"], inquire: ["unknown"] });
  const { transfer } = await transfers.create(memberId, { sourceAccountId }, { waitSeconds: 0 });
  const seen: [bigint, TransferState][] = [];
  const stream = transfers.client.watchTransfer({ transferId: transfer!.id }, as(memberId));
  for await (const { transfer: told, version } of stream) {
    seen.push([version, told!.state]);
    if (told!.state === TransferState.HELD) transfers.others.play({});
  }
  assert.equal(seen.at(-1)![1], TransferState.COMPLETED);
  const versions = seen.map(([version]) => version);
  assert.deepEqual(
    versions,
    versions.toSorted((one, other) => Number(one - other)),
  );
  assert.equal(new Set(versions).size, versions.length);

  const again = [];
  const last = versions.at(-1)!;
  for await (const each of transfers.client.watchTransfer(
    { transferId: transfer!.id, afterVersion: last },
    as(memberId),
  ))
    again.push(each);
  assert.deepEqual(again, []);
});

test("another's transfer is not there to be watched", async () => {
  const memberId = newUuid();
  const sourceAccountId = transfers.directory.openAccount(memberId);
  const { transfer } = await transfers.create(memberId, { sourceAccountId });
  const watching = async () => {
    for await (const _ of transfers.client.watchTransfer({ transferId: transfer!.id }, as(newUuid())));
  };
  await assert.rejects(watching(), { reason: "NOT_FOUND" });
});
