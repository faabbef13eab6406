import { type DescField, type DescMessage, type DescOneof, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import {
  type FieldRules,
  field as fieldOption,
  Ignore,
  message as messageOption,
  oneof as oneofOption,
  type Rule,
  type StringRules,
} from "@ferry/gen/buf/validate/validate_pb.ts";
import { decimalPattern } from "./decimal-pattern.ts";
import type { Json, Schema } from "./schema.ts";

/** The rules of a field; undefined where it has none that count. */
export function rulesOf(field: DescField): FieldRules | undefined {
  if (!hasOption(field, fieldOption)) return undefined;
  const rules = getOption(field, fieldOption);
  return rules.ignore === Ignore.ALWAYS ? undefined : rules;
}

/** Whether the zero value of the field's type is taken, whatever its other rules say. */
export function takesZero(rules: FieldRules | undefined): boolean {
  return rules?.ignore === Ignore.IF_ZERO_VALUE;
}

export function isRequiredOneof(oneof: DescOneof): boolean {
  return hasOption(oneof, oneofOption) && getOption(oneof, oneofOption).required === true;
}

/** Groups of fields of which at most one, or exactly one, may be there. */
export function exclusionsOf(desc: DescMessage): { fields: readonly string[]; required: boolean }[] {
  if (!hasOption(desc, messageOption)) return [];
  return getOption(desc, messageOption).oneof.map(({ fields, required }) => ({ fields, required: required === true }));
}

/** Rules that are expressions, in words: JSON Schema has none for them. */
export function rulesInWords(desc: DescField | DescMessage): string[] {
  const rules: readonly Rule[] =
    desc.kind === "field"
      ? (rulesOf(desc)?.cel ?? [])
      : hasOption(desc, messageOption)
        ? getOption(desc, messageOption).cel
        : [];
  return rules.map(({ message, expression }) => message || expression || "");
}

const COMPARISON = /^this\.([a-z_]+) (>|>=|<|<=) (-?[0-9]{1,18})$/;

/**
 * Rules of a field's message that compare one of its 64-bit integers with a number, which a pattern can say after all:
 * the narrower pattern, by the JSON name of the integer.
 */
export function comparisonsOf(field: DescField): Map<string, { pattern: string; isNeeded: boolean }> {
  const found = (rulesOf(field)?.cel ?? []).flatMap(({ expression }) => {
    const [, name, operator, text = "0"] = COMPARISON.exec(expression) ?? [];
    const part = field.message?.fields.find((candidate) => candidate.name === name);
    if (part?.scalar !== ScalarType.INT64 || operator === undefined) return [];
    const bound = BigInt(text);
    const min = operator.startsWith(">") ? bound + (operator === ">" ? 1n : 0n) : -(2n ** 63n);
    const max = operator.startsWith("<") ? bound - (operator === "<" ? 1n : 0n) : 2n ** 63n - 1n;
    const narrowed = { pattern: decimalPattern(min, max), isNeeded: min > 0n || max < 0n };
    return [[part.jsonName, narrowed] as const];
  });
  return new Map(found);
}

/** What was set of rules; the rest has defaults of proto2, which look like rules. */
function given<Rules extends object>(rules: Rules): Partial<Rules> {
  return { ...rules };
}

/** What JSON Schema has for the rules of one value: of a list or map, for the list or map itself. */
export function keywordsOf(rules: FieldRules | undefined): Schema {
  const { type } = rules ?? {};
  switch (type?.case) {
    case "string":
      return stringKeywords(type.value);
    case "bytes":
      return { maxLength: base64Length(given(type.value).maxLen) };
    case "repeated": {
      const { minItems, maxItems, unique } = given(type.value);
      return { minItems: number(minItems), maxItems: number(maxItems), uniqueItems: unique || undefined };
    }
    case "map": {
      const { minPairs, maxPairs } = given(type.value);
      return { minProperties: number(minPairs), maxProperties: number(maxPairs) };
    }
    case "bool":
      return { const: given(type.value).const };
    case "float":
    case "double":
    case "int32":
    case "sint32":
    case "sfixed32":
    case "uint32":
    case "fixed32":
      return numberKeywords(type.value);
    default:
      return {};
  }
}

const number = (value: bigint | undefined) => (value === undefined ? undefined : Number(value));

/** Characters of base64 for so many bytes. */
const base64Length = (bytes: bigint | undefined) =>
  bytes === undefined ? undefined : Math.ceil(Number(bytes) / 3) * 4;

interface Range<Value> {
  const?: Value | undefined;
  lessThan: { case: "lt" | "lte"; value: Value } | { case: undefined; value?: undefined };
  greaterThan: { case: "gt" | "gte"; value: Value } | { case: undefined; value?: undefined };
  in: readonly Value[];
  notIn: readonly Value[];
}

function numberKeywords(rules: Range<number>): Schema {
  const { lessThan, greaterThan, in: only, notIn } = rules;
  return {
    const: given(rules).const,
    ...(lessThan.case === "lt" && { exclusiveMaximum: lessThan.value }),
    ...(lessThan.case === "lte" && { maximum: lessThan.value }),
    ...(greaterThan.case === "gt" && { exclusiveMinimum: greaterThan.value }),
    ...(greaterThan.case === "gte" && { minimum: greaterThan.value }),
    ...listed(only, notIn),
  };
}

function listed(only: readonly Json[], not: readonly Json[]): Schema {
  return { enum: only.length > 0 ? only : undefined, not: not.length > 0 ? { enum: not } : undefined };
}

/** The text of a 64-bit integer under its rules. */
export function bigIntegerKeywords(rules: FieldRules | undefined, limits: { min: bigint; max: bigint }): Schema {
  const { type } = rules ?? {};
  const range = type?.value !== undefined && "lessThan" in type.value ? (type.value as Range<unknown>) : undefined;
  if (range === undefined) return { pattern: decimalPattern(limits.min, limits.max) };
  const { lessThan, greaterThan, in: only, notIn } = range as Range<bigint>;
  const one = given(range).const;
  if (one !== undefined) return { const: String(one) };
  const max = lessThan.case === undefined ? limits.max : lessThan.value - (lessThan.case === "lt" ? 1n : 0n);
  const min = greaterThan.case === undefined ? limits.min : greaterThan.value + (greaterThan.case === "gt" ? 1n : 0n);
  const pattern = min <= max ? decimalPattern(min, max) : decimalPattern(limits.min, limits.max);
  return { pattern, ...listed(only.map(String), notIn.map(String)) };
}

const FORMATS: Readonly<Record<string, string>> = {
  uuid: "uuid",
  email: "email",
  hostname: "hostname",
  ipv4: "ipv4",
  ipv6: "ipv6",
  uri: "uri",
  uriRef: "uri-reference",
};

function stringKeywords(rules: StringRules): Schema {
  const { len, minLen, maxLen, minBytes, maxBytes, pattern, prefix, suffix, contains, ...others } = given(rules);
  const patterns = [
    ...(pattern === undefined ? [] : [pattern]),
    ...(prefix === undefined ? [] : [`^${RegExp.escape(prefix)}`]),
    ...(suffix === undefined ? [] : [`${RegExp.escape(suffix)}$`]),
    ...(contains === undefined ? [] : [RegExp.escape(contains)]),
  ];
  const { wellKnown } = rules;
  const isOn = wellKnown.case !== undefined && wellKnown.value !== false;
  return {
    const: others.const,
    // A character has at most four bytes, and at least one.
    minLength: number(len ?? minLen) ?? (minBytes === undefined ? undefined : Math.ceil(Number(minBytes) / 4)),
    maxLength: number(len ?? maxLen ?? maxBytes),
    format: isOn ? FORMATS[wellKnown.case] : undefined,
    ...(patterns.length === 1 ? { pattern: patterns[0] } : {}),
    ...(patterns.length > 1 ? { allOf: patterns.map((text) => ({ pattern: text })) } : {}),
    ...listed(rules.in, rules.notIn),
  };
}
