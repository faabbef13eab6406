import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  AnySchema,
  anyPack,
  DurationSchema,
  EmptySchema,
  Int64ValueSchema,
  isWrapperDesc,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { HttpRuleSchema } from "@ferry/gen/google/api/http_pb.ts";
import fc from "fast-check";

type Values = Record<string, unknown>;

const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.replaceAll("\0", ""));

function scalarOf(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 8 });
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.nat({ max: 2 ** 31 - 1 }).map((value) => value * 2 + 1);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.integer();
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true }).map((value) => value + 0);
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true }).map((value) => value + 0);
  }
}

function singleOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) {
    const isBare = field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message);
    if (isBare) return scalarOf(field.message.fields[0]!.scalar!);
    if (field.message.typeName === "google.protobuf.Struct") return plainObject;
    return arbitraryMessage(field.message, depth - 1);
  }
  if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map(({ number }) => number));
  return scalarOf(field.scalar);
}

const isPlain = (value: unknown) => !/\\u0000|"__proto__"/.test(JSON.stringify(value));
/** As a text of JSON says it: JSON.stringify has no -0. */
const said = <T>(value: T): T => JSON.parse(JSON.stringify(value));
const plainJson = fc.jsonValue({ maxDepth: 2 }).filter(isPlain).map(said) as fc.Arbitrary<JsonValue>;
const plainObject = fc
  .dictionary(text, plainJson, { maxKeys: 3 })
  .filter(isPlain)
  .map(said) as fc.Arbitrary<JsonObject>;

function fieldOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one = singleOf(field, depth);
  if (field.fieldKind === "list") return fc.array(one, { maxLength: 3 });
  if (field.fieldKind === "map") {
    const key = scalarOf(field.mapKey).map(String);
    return fc.dictionary(
      key.filter((name) => name !== "__proto__"),
      one,
      { maxKeys: 3 },
    );
  }
  return one;
}

/** Types whose content must keep rules of its own. */
const KNOWN: Readonly<Record<string, fc.Arbitrary<Values>>> = {
  "google.protobuf.Timestamp": fc.record({
    seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
    nanos: fc.integer({ min: 0, max: 999_999_999 }),
  }),
  "google.protobuf.Duration": fc
    .record({
      seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }),
      nanos: fc.integer({ min: 0, max: 999_999_999 }),
      sign: fc.constantFrom(1, -1),
    })
    .map(({ seconds, nanos, sign }) => ({ seconds: seconds * BigInt(sign), nanos: nanos * sign })),
  "google.protobuf.FieldMask": fc.record({ paths: fc.array(fc.constantFrom("a_b", "inner.count", "x")) }),
};

/** Types that hold others, or any JSON. */
function holder(desc: DescMessage, depth: number): fc.Arbitrary<Message> | undefined {
  switch (desc.typeName) {
    case "google.protobuf.Struct":
      return plainObject.map((json) => fromJson(desc, json));
    case "google.protobuf.Value":
      return plainJson.map((json) => fromJson(desc, json));
    case "google.protobuf.ListValue":
      return fc.array(plainJson, { maxLength: 3 }).map((json) => fromJson(desc, json));
    case "google.protobuf.Any": {
      const held = [DurationSchema, StructSchema, ValueSchema, Int64ValueSchema, EmptySchema, HttpRuleSchema];
      return fc.oneof(
        fc.constant(create(AnySchema)),
        ...held.map((schema) =>
          arbitraryMessage(schema, depth - 1).map((message) => anyPack(schema as DescMessage, message)),
        ),
      );
    }
    default:
      return undefined;
  }
}

/** Messages of a type, with any of its fields set; messages within each other as deep as told. */
export function arbitraryMessage(desc: DescMessage, depth = 2): fc.Arbitrary<Message> {
  const held = holder(desc, depth);
  if (held !== undefined) return held;
  const known = KNOWN[desc.typeName];
  if (known !== undefined) return known.map((values) => create(desc, values as never));
  const free: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    if (member.kind === "oneof") {
      const cases = member.fields
        .filter((field) => field.message === undefined || depth > 0)
        .map((field) => singleOf(field, depth).map((value) => ({ case: field.localName, value })));
      free[member.localName] = fc.oneof(fc.constant({ case: undefined }), ...cases);
    } else if (member.message === undefined || depth > 0) free[member.localName] = fieldOf(member, depth);
  }
  return fc.record(free, { requiredKeys: [] }).map((values) => create(desc, values as never));
}
