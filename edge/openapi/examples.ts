import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import type { FieldRules, StringRules } from "@ferry/gen/buf/validate/validate_pb.ts";
import { validator } from "@ferry/platform/rpc";
import { exampleIn } from "./comments.ts";
import { requiredTest } from "./components.ts";
import { isRequiredOneof, rulesOf } from "./field-rules.ts";
import { wellKnownSchema } from "./value-schemas.ts";

const UUID = "0190b2c4-0000-7000-8000-00000000000a";
/** By well-known format, or, where there is none, by the field's name. */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  uuid: UUID,
  email: "ada@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  ip: "192.0.2.1",
  uri: "https://example.com/hook",
  url: "https://example.com/hook",
  uriRef: "/hook",
};
/** What is tried where a pattern is all that is known. */
const GUESSES = [
  "EUR",
  "081",
  "1100001234",
  "a",
  "A",
  "1",
  "example",
  "example-name",
  "ledger",
  "https://example.com/",
  UUID,
];
const AMOUNT = 2_500n;

/**
 * An example of a request that keeps its rules: what it must have, and of the rest, in order, no more than the rules
 * then still ask for.
 *
 * @returns undefined when none is found.
 */
export function exampleOf(desc: DescMessage): JsonObject | undefined {
  let example = requiredPart(desc);
  if (keepsRules(desc, example)) return example;
  for (const field of desc.fields) {
    if (field.jsonName in example || field.oneof !== undefined) continue;
    const value = exampleValue(field);
    if (value === undefined) continue;
    example = { ...example, [field.jsonName]: value };
    if (keepsRules(desc, example)) return example;
  }
  return undefined;
}

function requiredPart(desc: DescMessage): JsonObject {
  const isRequired = requiredTest(desc);
  const chosen = desc.oneofs.filter(isRequiredOneof).map(({ fields }) => fields[0]);
  const entries = desc.fields
    .filter((field) => isRequired(field) || chosen.includes(field) || isWholeValue(field))
    .map((field) => [field.jsonName, exampleValue(field)] as const);
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** Zero says nothing: an amount of money is shown as one. */
function isWholeValue(field: DescField): boolean {
  return field.oneof === undefined && field.fieldKind === "scalar" && field.parent.name === "Money";
}

function keepsRules(desc: DescMessage, example: JsonObject): boolean {
  try {
    return validator.validate(desc, fromJson(desc, example)).kind === "valid";
  } catch {
    return false; // Its JSON is no message: an example that was guessed wrongly.
  }
}

/** An example of a field's value, by its rules, its comment and its type; undefined when none is found. */
export function exampleValue(field: DescField): JsonValue | undefined {
  const rules = rulesOf(field);
  const { type } = rules ?? {};
  if (field.fieldKind === "list") {
    const item = singleExample(field, type?.case === "repeated" ? type.value.items : undefined);
    return item === undefined ? undefined : [item];
  }
  if (field.fieldKind === "map") {
    const value = singleExample(field, type?.case === "map" ? type.value.values : undefined);
    return value === undefined ? undefined : { example: value };
  }
  return singleExample(field, rules);
}

function singleExample(field: DescField, rules: FieldRules | undefined): JsonValue | undefined {
  if (field.message !== undefined) {
    const known = wellKnownSchema(field.message, "request");
    if (known === undefined) return exampleOf(field.message);
    return Array.isArray(known.examples) ? known.examples[0] : undefined;
  }
  if (field.enum !== undefined) return (field.enum.values[1] ?? field.enum.values[0])?.name;
  switch (field.scalar) {
    case ScalarType.STRING:
      return textExample(field, rules?.type?.case === "string" ? rules.type.value : undefined);
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return Buffer.from(nameInWords(field)).toString("base64");
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 1.5;
    default:
      return integerExample(field.scalar!, rules);
  }
}

function integerExample(scalar: ScalarType, rules: FieldRules | undefined): JsonValue {
  const { value } = rules?.type ?? {};
  const range = value as
    | { lessThan?: { value?: number | bigint }; greaterThan?: { value?: number | bigint } }
    | undefined;
  const [low, high] = [range?.greaterThan?.value, range?.lessThan?.value];
  let number = AMOUNT;
  if (low !== undefined && BigInt(low) >= number) number = BigInt(low) + 1n;
  if (high !== undefined && BigInt(high) <= number) number = BigInt(high) - 1n;
  const isLong = [ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64];
  return isLong.includes(scalar) ? String(number) : Number(number);
}

function textExample(field: DescField, rules: StringRules | undefined): string | undefined {
  const set: Partial<StringRules> = { ...rules }; // What is not set has defaults of proto2, which look like rules.
  const given = set.example?.[0] ?? set.const ?? set.in?.[0];
  if (given !== undefined) return given;
  const known = WELL_KNOWN[rules?.wellKnown.case ?? field.name];
  if (known !== undefined) return known;
  const told = exampleIn(field);
  const candidates = [...(told === undefined ? [] : [told]), ...sized(nameInWords(field), set), ...GUESSES];
  const pattern = new RegExp(set.pattern ?? "", "u");
  return candidates.find((text) => pattern.test(text));
}

/** A text made as long or short as the rules ask. */
function sized(text: string, rules: Partial<StringRules>): string[] {
  const min = Number(rules.len ?? rules.minLen ?? rules.minBytes ?? 0n);
  const max = Number(rules.len ?? rules.maxLen ?? rules.maxBytes ?? 1_000n);
  return [text.padEnd(min, " example").slice(0, max)];
}

function nameInWords({ name }: DescField): string {
  return name.replaceAll("_", " ");
}
