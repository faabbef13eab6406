import assert from "node:assert/strict";
import { test } from "node:test";
import { TopUpCompletedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create, encode } from "@ferry/platform/codec";
import { readEventTypes } from "./event-types.ts";

const types = readEventTypes();

test("members can be told of what happens to transfers, batches, top-ups, payments and refunds, and of no inner message", () => {
  const names = [...types.values()].map(({ name }) => name);
  for (const name of ["transfer.completed", "transfer.failed", "transfer.canceled", "transfer_batch.completed"])
    assert.ok(names.includes(name), name);
  for (const name of ["top_up.completed", "top_up.failed", "payment.completed", "refund.completed"])
    assert.ok(names.includes(name), name);
  assert.ok(!names.includes("refund.requested"), "it says nobody's member_id");
  assert.equal(new Set(names).size, names.length);
  for (const { topic } of types.values()) assert.match(topic, /^ferry\.(transfer|payment)\.events\.v1$/);
});

test("an event is read with whose it is, what it is about, and its data without members' ids", () => {
  const type = types.get(TopUpCompletedSchema.typeName)!;
  const message = {
    topUpId: "t",
    memberId: "m",
    topUp: { id: "t", amount: { currency: "EUR", minorUnits: 7n } },
    version: 3n,
  };
  const bytes = encode(TopUpCompletedSchema, create(TopUpCompletedSchema, message));
  assert.equal(type.memberIdOf(bytes), "m");
  assert.equal(type.memberIdOf(new Uint8Array()), "");
  const time = new Date(0);
  const { data, ...event } = type.read(bytes, { id: "t:3", time });
  assert.deepEqual(event, { id: "t:3", type: "top_up.completed", time, memberId: "m", subject: "t", version: 3n });
  assert.deepEqual(Object.keys(JSON.parse(data)), ["topUpId", "topUp", "version"]);
  assert.equal(JSON.parse(data).topUp.amount.minorUnits, "7");
});
