// F10 and F32: what no consumer can read, and what only a newer one can.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PaymentOutcome, SendPaymentResponseSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { PlaceHoldRequestSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { newUuid } from "@ferry/platform/db";
import { type Bus, deadLetterTopic, type MemoryBus, type OutgoingRecord, writeHeaders } from "@ferry/platform/events";
import { createRandom } from "../prove/random.ts";
import { waitFor } from "../support/platform.ts";
import { type House, startHouse } from "./house.ts";

const TOPICS = ["ferry.ledger.commands.v1", "ferry.banking.commands.v1", "ferry.transfer.replies.v1"];
/** Outcomes of payments that are told as a newer banking might: by a value that nobody here knows. */
let newer = 0;
/** A field of a number that no contract here has: tag 2000, a varint. */
const STRANGE_FIELD = Uint8Array.of(0x80, 0x7d, 0x01);
/** A step that is held up is asked for again after 10 s: what ends sooner waited for nobody. */
const HELD_UP_MS = 9_000;
let stranger = false;
let strange = 0;

function fromTheFuture(bus: MemoryBus): Bus {
  return {
    ...bus,
    publish: (records) =>
      bus.publish(
        records.map((record) => {
          if (newer > 0 && record.headers.ce_type === SendPaymentResponseSchema.typeName) {
            newer--;
            const reply = fromBinary(SendPaymentResponseSchema, record.value);
            reply.outcome = 99 as PaymentOutcome;
            return { ...record, value: toBinary(SendPaymentResponseSchema, reply) };
          }
          if (!stranger) return record;
          strange++;
          return { ...record, value: Buffer.concat([record.value, STRANGE_FIELD]) };
        }),
      ),
  };
}

let house: House;
before(async () => {
  house = await startHouse({ busOf: (_, bus) => fromTheFuture(bus) });
});
after(() => house.stop());

async function sendSome(count: number): Promise<string[]> {
  const payer = await house.open(100_000n);
  const sent = Array.from({ length: count }, () => house.send(payer, "1234", 10n));
  return (await Promise.all(sent)).map(({ transfer }) => transfer!.id);
}

/** @returns how long it took, in milliseconds: what the machine takes for it by itself is no hold-up. */
async function completeSome(count: number): Promise<number> {
  const startedAtMs = performance.now();
  assert.deepEqual(await house.ended(await sendSome(count)), { COMPLETED: count });
  return performance.now() - startedAtMs;
}

function headersOf(type: string): Record<string, string> {
  return writeHeaders({
    id: newUuid(),
    type,
    source: "ferry/stranger",
    time: new Date(),
    sagaId: newUuid(),
    sagaStep: "send",
  });
}

/** What a program that has gone mad may write to a topic. */
function poisons(topic: string): OutgoingRecord[] {
  const random = createRandom(10);
  const bytes = (length: number) => Uint8Array.from({ length }, () => random.below(256));
  // Cut within a field of the type that it is read as: another type's bytes may by chance be a message of this one.
  const [type, whole] = topic.includes("replies")
    ? [
        SendPaymentResponseSchema.typeName,
        toBinary(SendPaymentResponseSchema, create(SendPaymentResponseSchema, { reference: newUuid() })),
      ]
    : [
        PlaceHoldRequestSchema.typeName,
        toBinary(
          PlaceHoldRequestSchema,
          create(PlaceHoldRequestSchema, { transferId: newUuid(), sourceAccountId: newUuid() }),
        ),
      ];
  const headers = headersOf(type);
  return [
    { topic, key: "k", value: bytes(200), headers },
    { topic, key: "k", value: whole.subarray(0, whole.length - 5), headers: headersOf(type) },
    { topic, key: "k", value: undefined as unknown as Uint8Array, headers: headersOf(type) },
    { topic, key: "k", value: Buffer.alloc(5 * 1_024 * 1_024, 0xff), headers: headersOf(type) },
    { topic, key: "k", value: whole, headers: {} },
    { topic, key: "k", value: whole, headers: headersOf("ferry.nobody.v1.Nothing") },
  ];
}

for (const topic of TOPICS)
  test(`F10 poison on ${topic}: it goes to the dead letters alone, and what follows is not held up`, async () => {
    const before = house.bus.records(deadLetterTopic(topic)).length;
    const poison = poisons(topic);
    const usualMs = await completeSome(20);
    await house.bus.publish(poison);
    const tookMs = await completeSome(20);
    assert.ok(tookMs < HELD_UP_MS + 2 * usualMs, `${tookMs} ms, without poison ${usualMs} ms`);
    await waitFor(
      "the dead letters",
      () => house.bus.records(deadLetterTopic(topic)).length === before + poison.length,
    );
    await house.expectMoneyRight();
  });

test("F10 an outcome of a value that nobody knows is no decision: the bank is asked, and the money is right", async () => {
  newer = 10;
  assert.deepEqual(await house.ended(await sendSome(20)), { COMPLETED: 20 });
  assert.equal(newer, 0, "the fault did not bite");
  const asked = await house.databases.banking.query("SELECT id FROM bank_call WHERE operation = 'inquire'");
  assert.ok(asked.length >= 10, `${asked.length} inquiries`);
  await house.expectMoneyRight();
});

test("F32 producers of a newer version: their fields are passed over, and everything goes its way", async () => {
  stranger = true;
  const ids = await sendSome(20);
  assert.deepEqual(await house.ended(ids), { COMPLETED: 20 });
  stranger = false;
  assert.ok(strange >= 160, `${strange} messages had a strange field: the fault did not bite`);
  await house.expectMoneyRight();
});

test("F32 producers of an older version: what they do not say yet has its default", async () => {
  const payer = await house.open(1_000n);
  const [id, sagaId] = [newUuid(), newUuid()];
  // As before destinations within the platform were told: the field is not there.
  const amount = { currency: "EUR", minorUnits: 10n };
  const older = { transferId: id, sourceAccountId: payer.id, payerMemberId: payer.ownerId, amount };
  const value = toBinary(PlaceHoldRequestSchema, create(PlaceHoldRequestSchema, older));
  const facts = { id: newUuid(), source: "ferry/transfer", time: new Date(), sagaId, sagaStep: "place-hold" };
  const headers = writeHeaders({ ...facts, type: PlaceHoldRequestSchema.typeName });
  await house.bus.publish([{ topic: TOPICS[0]!, key: payer.id, value, headers }]);
  await waitFor("the hold", async () => {
    const [account] = await house.databases.ledger.query<{ held: bigint }>("SELECT held FROM account WHERE id = $1", [
      payer.id,
    ]);
    return account?.held === 10n;
  });
});
