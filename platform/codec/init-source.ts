import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import { literal } from "./fields.ts";
import type { NameOfPart } from "./write-source.ts";

/** The text of `init(given)`: a message of the values that are given, as protobuf-es makes it. Null is as good as absent. */
export function initSource(desc: DescMessage, nameOf: NameOfPart): string {
  return `function each(entries, convert) {
  const result = {};
  for (const [key, value] of Object.entries(entries)) result[key] = convert(value);
  return result;
}
function init(given) {
  const message = create();
  let value;
${desc.members.map((member) => initMember(member, nameOf)).join("\n")}
  return message;
}`;
}

function initMember(member: DescField | DescOneof, nameOf: NameOfPart): string {
  const name = literal(member.localName);
  if (member.kind === "field")
    return `  value = given[${name}];
  if (value != null) message[${name}] = ${givenOf(member, nameOf)};`;
  return `  switch (given[${name}]?.case) {
${member.fields.map((field) => initChoice(field, name, nameOf)).join("\n")}
  }`;
}

function initChoice(field: DescField, oneof: string, nameOf: NameOfPart): string {
  const name = literal(field.localName);
  return `    case ${name}:
      value = given[${oneof}].value;
      message[${oneof}] = { case: ${name}, value: ${givenOf(field, nameOf)} };
      break;`;
}

/** What a given value becomes in the message: parts are made messages, all else stays as it is. */
function givenOf(field: DescField, nameOf: NameOfPart): string {
  const convert = conversionOf(field, nameOf);
  if (convert === undefined) return "value";
  if (field.fieldKind === "list") return `Array.isArray(value) ? value.map((value) => ${convert}) : value`;
  if (field.fieldKind !== "map") return convert;
  return `typeof value === "object" && !Array.isArray(value) ? each(value, (value) => ${convert}) : value`;
}

function conversionOf(field: DescField, nameOf: NameOfPart): string | undefined {
  if (field.message !== undefined) {
    const part = `value.$typeName === ${literal(field.message.typeName)} ? value : ${nameOf(field.message)}.init(value)`;
    return `(typeof value === "object" && value !== null && !Array.isArray(value) ? ${part} : value)`;
  }
  if (field.scalar === ScalarType.BYTES) return "(Array.isArray(value) ? new Uint8Array(value) : value)";
  return undefined;
}
