import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  PlaceHoldRequestSchema,
  type SettleHoldResponse,
  SettleHoldResponseSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { consume, createMemoryBus, keyOf, topicOf, writeHeaders } from "@ferry/platform/events";
import { type Fields, type Logger, newTraceparent, readMetrics, silentLogger } from "@ferry/platform/telemetry";

const TOPIC = "ferry.transfer.replies.v1";
const type: string = SettleHoldResponseSchema.typeName;
const value = toBinary(SettleHoldResponseSchema, create(SettleHoldResponseSchema, { transferId: "t-1" }));
const headers = (id: string, traceparent?: string, of = type) =>
  writeHeaders({ id, type: of, source: "ferry/ledger", time: new Date(), traceparent });

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; !holds(); turn++) {
    if (turn > 10_000) assert.fail("not in time");
    await new Promise(setImmediate);
  }
}

test("a hop is written for messages of sampled traces, and for no other", async () => {
  const hops: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    hop: (kind: string, name: string, _startedAtMs: number, fields?: Fields) => void hops.push([kind, name, fields]),
  };
  const bus = createMemoryBus({ logger });
  const got: string[] = [];
  await consume(bus, {
    ...{ group: "g", topics: [TOPIC], schemas: [SettleHoldResponseSchema] },
    handle: async (set) => void got.push(...set.map(({ id }) => id)),
  });
  const traceparent = newTraceparent(true);
  await bus.publish([
    { topic: TOPIC, key: "k", value, headers: headers("sampled", traceparent) },
    { topic: TOPIC, key: "k", value, headers: headers("not-sampled", newTraceparent(false)) },
    { topic: TOPIC, key: "k", value, headers: headers("no-trace") },
  ]);
  await until(() => got.length === 3);
  await bus.close();
  const { partition } = bus.records(TOPIC)[0]!;
  const fields = { topic: TOPIC, partition, group: "g", sagaId: undefined, traceparent };
  assert.deepEqual(hops, [["kafka", type, fields]]);
});

test("types that are not asked for are passed over where that is wanted, and unknown fields are kept", async () => {
  const bus = createMemoryBus();
  const got: SettleHoldResponse[] = [];
  await consume(bus, {
    ...{ group: "g", topics: [TOPIC], schemas: [SettleHoldResponseSchema], unknownTypes: "ignore" },
    handle: async (set) => void got.push(...set.map(({ message }) => message)),
  });
  const extended = new BinaryWriter().raw(value).tag(999, WireType.Varint).uint32(5).finish();
  await bus.publish([
    { topic: TOPIC, key: "k", value, headers: headers("other", undefined, "ferry.later.v1.Event") },
    { topic: TOPIC, key: "k", value: extended, headers: headers("newer") },
  ]);
  await until(() => got.length === 1);
  await bus.close();
  assert.equal(bus.records(`${TOPIC}.dlq`).length, 0);
  assert.deepEqual(toBinary(SettleHoldResponseSchema, got[0]!), extended);
});

test("topic and key come from the contract", () => {
  assert.equal(topicOf(PlaceHoldRequestSchema), "ferry.ledger.commands.v1");
  assert.equal(topicOf(SettleHoldResponseSchema), undefined);
  const command = create(PlaceHoldRequestSchema, { sourceAccountId: "account-1", transferId: "t" });
  assert.equal(keyOf(PlaceHoldRequestSchema, command), "account-1");
});

test("what goes to the dead letters is counted, undecoded or refused by its handler", async () => {
  const bus = createMemoryBus();
  const group = "counts-dead-letters";
  const both = Promise.withResolvers<void>();
  let count = 0;
  await bus.subscribe({
    ...{ group: "of-the-dead", topics: [`${TOPIC}.dlq`] },
    handle: async (set) => {
      count += set.length;
      if (count === 2) both.resolve();
    },
  });
  await consume(bus, {
    ...{ group, topics: [TOPIC], schemas: [SettleHoldResponseSchema] },
    handle: async () => {
      throw new Error("never");
    },
  });
  await bus.publish([
    { topic: TOPIC, key: "k", value, headers: headers("other", undefined, "ferry.later.v1.Event") },
    { topic: TOPIC, key: "k", value, headers: headers("refused") },
  ]);
  await both.promise;
  await bus.close();
  assert.match(await readMetrics(), /^ferry_dead_letters_total\{group="counts-dead-letters"\} 2$/m);
});
