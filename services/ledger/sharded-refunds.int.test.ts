import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { RefundNotPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { RefundRequestedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { createMemoryBus, writeHeaders } from "@ferry/platform/events";
import { until } from "../../test/support/until.ts";
import { createSpreadCommands } from "./app/spread-commands.ts";
import { createSpreadRefunds } from "./app/spread-refunds.ts";
import { createRefundsConsumer } from "./consumers/refunds.ts";
import { credit } from "./store/test-ledger.ts";
import { assertShardsHold, createShardDatabases, idIn, type Mode, runSharded, underWay } from "./testing/sharded.ts";

const SAID = "ferry.ledger.events.v1";
const bankAccount = { bankCode: "081", accountNumber: "2200009402" };

async function start(mode: Mode) {
  const databases = await createShardDatabases(2);
  const bus = createMemoryBus();
  const ledger = await runSharded(databases, mode, bus);
  const { shards, shardOf } = ledger;
  const commands = createSpreadCommands({ shards, shardOf, runOverTwo: undefined });
  const consumer = createRefundsConsumer({ bus, refunds: createSpreadRefunds({ shards, shardOf, commands }) });
  await consumer.start?.();
  const publish = (topic: string, key: string, type: string, value: Uint8Array) => {
    const headers = writeHeaders({ id: newUuid(), source: "ferry/test", time: new Date(), type });
    return bus.publish([{ topic, key, value, headers }]);
  };
  return {
    ...{ ledger, databases: ledger.databases },
    /** An account that lies in a given shard. */
    async openIn(position: number, balance = 0n) {
      const id = idIn(ledger, position);
      const { ownerId } = await ledger.open(id, newUuid());
      if (balance > 0n) assert.deepEqual(await ledger.send(credit(id, balance)), [undefined]);
      return { id, ownerId: ownerId! };
    },
    request: (content: MessageInitShape<typeof RefundRequestedSchema> & { refundId: string }) =>
      publish(
        "ferry.payment.events.v1",
        content.refundId,
        RefundRequestedSchema.typeName,
        toBinary(RefundRequestedSchema, create(RefundRequestedSchema, content)),
      ),
    refuse: (content: MessageInitShape<typeof RefundNotPaidOutSchema> & { refundId: string }) =>
      publish(
        "ferry.banking.events.v1",
        content.refundId,
        RefundNotPaidOutSchema.typeName,
        toBinary(RefundNotPaidOutSchema, create(RefundNotPaidOutSchema, content)),
      ),
    /** Waits until the ledger has said so much of a refund; gives the names of it. */
    said: (refundId: string, count: number) =>
      until(`${count} events of ${refundId}`, () => {
        const found = bus.records(SAID).filter(({ key }) => key === refundId);
        return found.length >= count ? found.map(({ headers }) => headers.ce_type?.split(".").at(-1)) : undefined;
      }),
    async stop() {
      await consumer.stop?.();
      await ledger.stop();
      await bus.close();
      await databases.drop();
    },
  };
}

for (const mode of ["two-phase", "clearing"] as const)
  test(`over shards, by ${mode}: a refund to another shard is booked once, one towards a bank is taken back once`, async (t) => {
    const { ledger, databases, openIn, request, refuse, said, stop } = await start(mode);
    t.after(stop);
    const [merchant, near, far] = [await openIn(0, 100n), await openIn(0), await openIn(1)];
    const amount = { currency: "EUR", minorUnits: 30n };
    const facts = { paymentId: newUuid(), merchantMemberId: merchant.ownerId, merchantAccountId: merchant.id, amount };
    for (const payer of [near, far]) {
      const refundId = newUuid();
      const content = { ...facts, refundId, destination: { case: "payerAccountId" as const, value: payer.id } };
      for (const _ of [1, 2]) await request(content);
      assert.deepEqual(await said(refundId, 2), ["RefundBooked", "RefundBooked"]);
      await until("the payer's money", async () =>
        (await ledger.find(payer.id)).balanceMinor === 30n ? true : undefined,
      );
    }
    const refundId = newUuid();
    await request({ ...facts, refundId, destination: { case: "bankAccount", value: bankAccount } });
    await said(refundId, 1);
    assert.equal((await ledger.find(merchant.id)).balanceMinor, 10n);
    const failure = { code: "BANK_REFUSED", message: "no" };
    const { paymentId, merchantAccountId } = facts;
    for (const _ of [1, 2]) await refuse({ refundId, paymentId, merchantAccountId, amount, bankAccount, failure });
    assert.deepEqual(await said(refundId, 3), ["RefundBooked", "RefundTakenBack", "RefundTakenBack"]);
    assert.equal((await ledger.find(merchant.id)).balanceMinor, 40n);
    await until("nothing under way", async () => ((await underWay(databases)) === 0n ? true : undefined));
    await assertShardsHold(databases);
  });
