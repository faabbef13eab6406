import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { FieldRules } from "@ferry/gen/buf/validate/validate_pb.ts";
import { decimalPattern } from "./decimal-pattern.ts";
import { bigIntegerKeywords, keywordsOf } from "./field-rules.ts";
import type { Direction, Json, Schema } from "./schema.ts";

const INT32 = { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
const UINT32 = { minimum: 0, maximum: 2 ** 32 - 1 };
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n };
const BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
/** Ten thousand years, as google.protobuf.Duration has it. */
const DURATION = `^-?${decimalPattern(0n, 315_576_000_000n).slice(1, -1)}(?:\\.[0-9]{1,9})?s$`;

/** Schemas that many fields share, by the names under which the document has them. */
export const sharedSchemas: Readonly<Record<string, Schema>> = {
  Int64: {
    type: "string",
    format: "int64",
    description: "A whole number of 64 bits as a string of decimal digits: JSON's own numbers would lose some.",
    pattern: decimalPattern(INT64.min, INT64.max),
    examples: ["2500"],
  },
  UInt64: {
    type: "string",
    format: "uint64",
    description: "A whole number of 64 bits, not negative, as a string of decimal digits.",
    pattern: decimalPattern(UINT64.min, UINT64.max),
    examples: ["2500"],
  },
};

export const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/**
 * The schema of a scalar in the edge's ProtoJSON, under the field's rules where it comes in.
 * Answers have none: a rule that grows stricter would make answers of yesterday wrong.
 */
export function scalarSchema(scalar: ScalarType, direction: Direction, given?: FieldRules): Schema {
  const rules = direction === "request" ? given : undefined;
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "string", ...keywordsOf(rules) };
    case ScalarType.BOOL:
      return { type: "boolean", ...keywordsOf(rules) };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64", pattern: BASE64, ...keywordsOf(rules) };
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { type: "integer", format: "int32", ...(direction === "request" && limits(INT32, keywordsOf(rules))) };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { type: "integer", format: "uint32", ...(direction === "request" && limits(UINT32, keywordsOf(rules))) };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return rules === undefined
        ? refTo("Int64")
        : { type: "string", format: "int64", ...bigIntegerKeywords(rules, INT64) };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return rules === undefined
        ? refTo("UInt64")
        : { type: "string", format: "uint64", ...bigIntegerKeywords(rules, UINT64) };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE: {
      const format = scalar === ScalarType.FLOAT ? "float" : "double";
      const words = { type: "string", enum: ["NaN", "Infinity", "-Infinity"] };
      return { anyOf: [{ type: "number", format, ...keywordsOf(rules) }, words] };
    }
  }
}

/** The type's own limits where the rules say nothing narrower. */
function limits(own: { minimum: number; maximum: number }, rules: Schema): Schema {
  return {
    ...("exclusiveMinimum" in rules ? {} : { minimum: own.minimum }),
    ...("exclusiveMaximum" in rules ? {} : { maximum: own.maximum }),
    ...rules,
  };
}

/** The schema of a message type whose JSON is not that of its fields; undefined for all other types. */
export function wellKnownSchema(desc: DescMessage, direction: Direction): Schema | undefined {
  if (isWrapperDesc(desc)) return scalarSchema(desc.fields[0].scalar, direction);
  switch (desc.typeName) {
    case "google.protobuf.Timestamp":
      return { type: "string", format: "date-time", examples: ["2026-01-31T12:00:00Z"] };
    case "google.protobuf.Duration":
      return { type: "string", pattern: DURATION, examples: ["1.5s"] };
    case "google.protobuf.FieldMask": {
      const path = "[a-z][A-Za-z0-9]*(?:\\.[a-z][A-Za-z0-9]*)*";
      return { type: "string", pattern: `^(?:${path}(?:,${path})*)?$`, examples: ["amount.currency,memo"] };
    }
    case "google.protobuf.Struct":
      return { type: "object" };
    case "google.protobuf.Value":
      return {};
    case "google.protobuf.ListValue":
      return { type: "array", items: {} };
    case "google.protobuf.Any":
      return { type: "object", properties: { "@type": { type: "string" } } };
    default:
      return undefined;
  }
}

/** The same schema, or the empty text: for rules that a field's zero value is spared. */
export function orZero(schema: Schema): Schema {
  const zeros: Readonly<Record<string, Json>> = { string: "", integer: 0, number: 0, boolean: false };
  const zero = zeros[String(schema.type)];
  return zero === undefined ? schema : { anyOf: [schema, { const: schema.format === "int64" ? "0" : zero }] };
}
