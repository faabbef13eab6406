import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { TransferCompletedSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import fc from "fast-check";
import { scalarOf } from "./fields.ts";
import { arbitraryScalar } from "./testing/arbitrary-message.ts";
import { compiledOf } from "./testing/compiled.ts";
import { everyKind } from "./testing/every-kind.ts";

test("parts of every length of length", () => {
  const codec = compiledOf(TransferCompletedSchema);
  const around = (length: number, distance: number) =>
    Array.from({ length: 2 * distance }, (_, index) => Math.max(0, length - distance + index));
  const lengths = [...around(128, 60), ...around(2 ** 14, 60), ...around(2 ** 16, 120), ...around(2 ** 21, 12)];
  for (const length of lengths) {
    const transfer = { memo: "m".repeat(length), failure: { code: "f" } };
    const expected = create(TransferCompletedSchema, { transferId: "t", transfer, version: 300n });
    const bytes = codec.encode(expected);
    assert.equal(Buffer.compare(bytes, toBinary(TransferCompletedSchema, expected)), 0, `a memo of ${length}`);
    assert.deepEqual(codec.decode(bytes), expected);
  }
});

/** Messages whose last part is one long list, or a deep nest: what makes room for itself too late shows there. */
function arbitraryTail(): fc.Arbitrary<Message> {
  const lists = everyKind.fields.filter((field) => field.fieldKind === "list");
  const list = fc.constantFrom(...lists).chain((field) => {
    const value = field.message === undefined ? arbitraryScalar(scalarOf(field)) : fc.constant({ one2: "inner" });
    return fc.array(value, { minLength: 40, maxLength: 60 }).map((values) => ({ [field.localName]: values }));
  });
  const nest = fc.constantFrom(0, 130).map((length) => {
    let inner: Record<string, unknown> = { one4: new Uint8Array(length) };
    for (let count = 0; count < 30; count++) inner = { list1: [inner] };
    return inner;
  });
  return fc.oneof(list, nest).map((values) => create(everyKind, values as never));
}

test("values of every kind where the writer's first buffer ends", () => {
  const bytes = everyKind.fields.find(({ localName }) => localName === "one4")!;
  assert.equal(bytes.scalar, ScalarType.BYTES);
  const property = fc.property(arbitraryTail(), fc.nat({ max: 350 }), (message, before) => {
    const filled = { ...message, [bytes.localName]: new Uint8Array(2 ** 16 - before) };
    const actual = compiledOf(everyKind).encode(filled);
    assert.equal(Buffer.compare(actual, toBinary(everyKind, filled)), 0);
  });
  fc.assert(property, { numRuns: 1_000 });
});
