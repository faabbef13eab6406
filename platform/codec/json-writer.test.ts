import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { DurationSchema, FieldDescriptorProtoSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { exposedServices } from "../../edge/backends.ts";
import { setField } from "../../edge/transcoding/read-message.ts";
import { messageWriter, reflectingWriter } from "./json-writer.ts";

const INT64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const TIMESTAMP = fc
  .record({
    seconds: fc.bigInt({ min: -62135596800n, max: 253402300799n }),
    nanos: fc.oneof(fc.constantFrom(0, 1, 1_000, 1_000_000, 120_000_000, 999_999_999), fc.nat(999_999_999)),
  })
  .map((init) => create(TimestampSchema, init));
/** Both parts have the same sign. */
const DURATION = fc
  .record({ seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }), nanos: fc.nat(999_999_999) })
  .map((init) => create(DurationSchema, init));
const SCALARS: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: fc.string({ unit: "binary" }),
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.BYTES]: fc.uint8Array(),
  [ScalarType.INT32]: fc.integer(),
  [ScalarType.UINT32]: fc.nat(),
  [ScalarType.INT64]: INT64,
};

/** Any message of a type, each of its fields there or not. */
function anyMessageOf(desc: DescMessage, depth = 0): fc.Arbitrary<Message> {
  if (desc.typeName === TimestampSchema.typeName) return TIMESTAMP;
  if (desc.typeName === DurationSchema.typeName) return DURATION;
  const fields = desc.fields.map((field) =>
    fc.option(anyValueOf(field, depth), { nil: undefined, maxDepth: 4, depthSize: 1 }),
  );
  return fc.tuple(...fields).map((values) => {
    const message = create(desc);
    for (const [index, value] of values.entries()) {
      const field = desc.fields[index]!;
      const chosen = field.oneof && (message as unknown as Record<string, { case?: string }>)[field.oneof.localName];
      if (value !== undefined && chosen?.case === undefined) setField(message, field, value, "");
    }
    return message;
  });
}

/** Keys of maps. "__proto__" is written here, and lost by protobuf-es, which sets the prototype of its object. */
const KEY = fc.string().filter((key) => key !== "__proto__");

function anyValueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "map") return fc.dictionary(KEY, single(field, depth));
  return field.fieldKind === "list" ? fc.array(single(field, depth), { maxLength: 3 }) : single(field, depth);
}

function single(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined)
    return depth > 4 ? fc.constant(create(field.message)) : anyMessageOf(field.message, depth + 1);
  if (field.enum !== undefined)
    return fc.oneof(fc.constantFrom(...field.enum.values.map((value) => value.number)), fc.nat(99));
  return SCALARS[field.scalar]!;
}

const outputs = [...new Set(exposedServices.flatMap(({ service }) => service.methods.map((rpc) => rpc.output)))];

for (const desc of outputs)
  test(`the JSON of ${desc.typeName} is protobuf-es's, character by character`, () => {
    const [omit, only] = [desc.fields.at(-1), desc.fields[0]];
    const pairs = [[], [omit], [undefined, only]].map(
      (args) => [messageWriter(desc, ...args), reflectingWriter(desc, ...args)] as const,
    );
    fc.assert(
      fc.property(anyMessageOf(desc), (message) => {
        for (const [compiled, reflecting] of pairs) assert.equal(compiled(message), reflecting(message));
      }),
      { numRuns: 60 },
    );
  });

test("types that are not compiled are written all the same", () => {
  const duration = create(DurationSchema, { seconds: 1n, nanos: 500_000_000 });
  assert.equal(messageWriter(DurationSchema)(duration), '"1.500s"');
  const proto2 = create(FieldDescriptorProtoSchema, { name: "x", proto3Optional: false });
  assert.equal(messageWriter(FieldDescriptorProtoSchema)(proto2), '{"name":"x","proto3Optional":false}');
});

test("a time that RFC 3339 cannot say is refused", () => {
  const holder = outputs
    .flatMap((desc) => desc.fields.flatMap((field) => field.message?.fields ?? []))
    .find((field) => field.message?.typeName === TimestampSchema.typeName)!;
  const write = messageWriter(holder.parent);
  for (const time of [{ seconds: 253402300800n }, { seconds: 0n, nanos: -1 }]) {
    const message = create(holder.parent);
    setField(message, holder, create(TimestampSchema, time), "");
    assert.throws(() => write(message), /a time/);
  }
});
