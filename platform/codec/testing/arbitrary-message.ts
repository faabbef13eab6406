import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { methodOf } from "../fields.ts";

/** Text with all that is hard about it: lone surrogates, byte-order marks, lengths around those of the length's varint. */
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "binary", maxLength: 14 }) },
  { weight: 4, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 40 }) },
  fc.constantFrom("\ud800", "a\udc00b".repeat(9), "\ufeff", "\ufeffmark".repeat(3), "\ufffd", "\0", "__proto__"),
  fc
    .tuple(fc.constantFrom("a", "é", "€", "😀"), fc.integer({ min: 38, max: 130 }))
    .map(([one, count]) => one.repeat(count)),
);

const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31)));
const uint32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 2 ** 28, 2 ** 32 - 1));
const edges = [0n, 1n, 127n, 128n, 2n ** 28n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n];
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(...edges, 2n ** 64n - 1n));
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(...edges, ...edges.map((value) => -value), -(2n ** 63n)),
);

/** Any value of a type of scalar, over its whole range. */
export function arbitraryScalar(scalar: ScalarType): fc.Arbitrary<unknown> {
  if (scalar === ScalarType.STRING) return text;
  if (scalar === ScalarType.BYTES) return fc.uint8Array({ maxLength: 140 });
  if (scalar === ScalarType.BOOL) return fc.boolean();
  if (scalar === ScalarType.FLOAT) return fc.float();
  if (scalar === ScalarType.DOUBLE) return fc.double();
  const isUnsigned = [ScalarType.UINT32, ScalarType.FIXED32, ScalarType.UINT64, ScalarType.FIXED64].includes(scalar);
  if (methodOf(scalar).endsWith("64")) return isUnsigned ? uint64 : int64;
  return isUnsigned ? uint32 : int32;
}

function arbitraryValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return arbitraryMessage(field.message, depth - 1);
  if (field.enum !== undefined)
    return field.enum.open ? int32 : fc.constantFrom(...field.enum.values.map(({ number }) => number));
  return arbitraryScalar(field.scalar!);
}

function arbitraryField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const value = arbitraryValue(field, depth);
  if (field.fieldKind === "list") return fc.array(value, { maxLength: 4 });
  if (field.fieldKind !== "map") return value;
  const entry = fc.tuple(arbitraryScalar(field.mapKey).map(String), value);
  return fc.array(entry, { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
}

/** Types hold each other many times over: each is made into an arbitrary once for a depth. */
const made = new Map<string, fc.Arbitrary<Message>>();

/** Messages of a type with any of its fields set to anything; messages within each other as deep as told. */
export function arbitraryMessage(desc: DescMessage, depth = 2): fc.Arbitrary<Message> {
  const key = `${desc.typeName} ${depth}`;
  let arbitrary = made.get(key);
  if (arbitrary === undefined) {
    arbitrary = make(desc, depth);
    made.set(key, arbitrary);
  }
  return arbitrary;
}

function make(desc: DescMessage, depth: number): fc.Arbitrary<Message> {
  const isReached = (field: DescField) => field.message === undefined || depth > 0;
  const values: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    if (member.kind === "field") {
      if (isReached(member)) values[member.localName] = arbitraryField(member, depth);
      continue;
    }
    const cases = member.fields
      .filter(isReached)
      .map((field) => arbitraryValue(field, depth).map((value) => ({ case: field.localName, value })));
    if (cases.length > 0) values[member.localName] = fc.oneof(...cases);
  }
  return fc.record(values, { requiredKeys: [] }).map((init) => create(desc, init as never));
}
