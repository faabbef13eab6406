import { type DescField, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import type { FieldRules, StringRules } from "@ferry/gen/buf/validate/validate_pb.ts";
import { exampleValue } from "../../../edge/openapi/examples.ts";
import { comparisonsOf, rulesOf, takesZero } from "../../../edge/openapi/field-rules.ts";
import type { BadValue } from "./bad-values.ts";

/** Unset rules have defaults of proto2 that look like rules: only what was set is an object's own. */
const given = <Rules extends object>(rules: Rules): Partial<Rules> => ({ ...rules });
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

/** Whether a text breaks its rules. @throws Error for a rule that these tests do not know. */
function breaks(text: string, rules: StringRules): boolean {
  const { len, minLen, maxLen, minBytes, maxBytes, pattern, in: allowed, notIn, wellKnown, ...others } = given(rules);
  const unknown = Object.keys(others).filter((name) => !name.startsWith("$") && name !== "example");
  if (unknown.length > 0) throw new Error(`rules that are not known here: ${unknown.join()}`);
  const [length, bytes] = [[...text].length, Buffer.byteLength(text)];
  const forms: Record<string, RegExp> = { uuid: UUID, email: EMAIL };
  const form = wellKnown?.case === undefined ? undefined : forms[wellKnown.case];
  if (wellKnown?.case !== undefined && form === undefined) throw new Error(`not known here: ${wellKnown.case}`);
  return (
    (len !== undefined && length !== Number(len)) ||
    length < Number(minLen ?? 0) ||
    length > Number(maxLen ?? Number.POSITIVE_INFINITY) ||
    bytes < Number(minBytes ?? 0) ||
    bytes > Number(maxBytes ?? Number.POSITIVE_INFINITY) ||
    (pattern !== undefined && !new RegExp(pattern, "u").test(text)) ||
    (allowed !== undefined && allowed.length > 0 && !allowed.includes(text)) ||
    notIn?.includes(text) === true ||
    (form !== undefined && !form.test(text))
  );
}

function badTexts(field: DescField, rules: StringRules, zeroIsGood: boolean): string[] {
  const set = given(rules);
  const most = Number(set.len ?? set.maxLen ?? set.maxBytes ?? 300);
  const good = String([exampleValue(field)].flat()[0]);
  const tried = [
    "",
    "!",
    "é",
    "mine",
    `${good}!`,
    ` ${good}`,
    good.slice(0, -1),
    `${good}\n`,
    good.replaceAll("-", ""),
  ];
  const all = [...tried, "a".repeat(most + 1), "1".repeat(most + 1), "𝄞".repeat(most + 1)];
  return [...new Set(all)].filter((text) => breaks(text, rules) && !(text === "" && zeroIsGood));
}

interface Bounds {
  lessThan?: { case?: string; value?: number | bigint };
  greaterThan?: { case?: string; value?: number | bigint };
}

function beyond({ lessThan, greaterThan }: Bounds): bigint[] {
  const low = greaterThan?.value;
  const high = lessThan?.value;
  return [
    ...(low === undefined ? [] : [BigInt(low) - (greaterThan!.case === "gte" ? 1n : 0n)]),
    ...(high === undefined ? [] : [BigInt(high) + (lessThan!.case === "lte" ? 1n : 0n), 1_000_000_000n]),
  ];
}

const LONG = [ScalarType.INT64, ScalarType.UINT64];

function ofOne(field: DescField, rules: FieldRules | undefined): BadValue[] {
  const { type } = rules ?? {};
  switch (type?.case) {
    case "string":
      return badTexts(field, type.value, takesZero(rules)).map((text) => ({ json: JSON.stringify(text), text }));
    case "int32":
    case "int64":
    case "uint32":
    case "uint64":
      return beyond(type.value as Bounds).map((number) => {
        const text = String(number);
        return { json: LONG.includes(field.scalar!) ? `"${text}"` : text, text };
      });
    case "bytes": {
      const { maxLen } = given(type.value);
      return maxLen === undefined ? [] : [quoted(Buffer.alloc(Number(maxLen) + 1).toString("base64"))];
    }
    case undefined:
    case "repeated":
    case "enum": // Its names are all that JSON can say.
      return [];
    default:
      throw new Error(`rules that are not known here: ${type?.case}`);
  }
}

const quoted = (value: JsonValue): BadValue => ({ json: JSON.stringify(value) });

/** Every way to break the rules of a field by its value. */
export function brokenRulesOf(field: DescField): BadValue[] {
  const rules = rulesOf(field);
  const { type } = rules ?? {};
  if (field.fieldKind === "list" && type?.case === "repeated") {
    const { minItems, maxItems, unique, items } = given(type.value);
    const [item = {}] = [exampleValue(field)].flat() as JsonValue[];
    return [
      ...(Number(minItems ?? 0) > 0 ? [quoted([])] : []),
      ...(maxItems === undefined ? [] : [quoted(new Array(Number(maxItems) + 1).fill(item))]),
      ...(unique === true ? [quoted([item, item])] : []),
      ...ofOne(field, items).map((bad) => ({ ...bad, json: `[${bad.json}]`, inside: "[0]" })),
    ];
  }
  return [...ofOne(field, rules), ...comparisons(field)];
}

/** Rules that compare a number inside of a message: an amount must be above zero. The error names the message. */
function comparisons(field: DescField): BadValue[] {
  const example = exampleValue(field);
  return [...comparisonsOf(field)].flatMap(([name, { pattern }]) =>
    ["0", "-1", "-9223372036854775808", "9223372036854775807"]
      .filter((text) => !new RegExp(pattern, "u").test(text))
      .map((text) => quoted({ ...(example as object), [name]: text })),
  );
}

/** Whether a request without the field breaks its rules. */
export function isNeeded(field: DescField): boolean {
  const rules = rulesOf(field);
  if (rules === undefined || field.oneof !== undefined) return false;
  if (rules.required) return true;
  const { type } = rules;
  if (type.case === "string") return !takesZero(rules) && breaks("", type.value);
  return type.case === "repeated" && Number(given(type.value).minItems ?? 0) > 0;
}
