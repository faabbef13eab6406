import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import { isText, literal, methodOf, scalarOf, zeroOf, zeroOfScalar } from "./fields.ts";
import type { NameOfPart } from "./write-source.ts";

type MapField = DescField & { fieldKind: "map" };

const IMPLICIT_PRESENCE = 2;

/** The text of `create()`: an empty message, as protobuf-es makes it: what has presence of its own is left out. */
export function createSource(desc: DescMessage): string {
  const members = desc.members.flatMap((member) => {
    const zero = zeroOfMember(member);
    return zero === undefined ? [] : [`    ${literal(member.localName)}: ${zero},`];
  });
  return `function create() {
  return {
    $typeName: ${literal(desc.typeName)},
${members.join("\n")}
  };
}`;
}

function zeroOfMember(member: DescField | DescOneof): string | undefined {
  if (member.kind === "oneof") return "{ case: undefined }";
  if (member.fieldKind === "list") return "[]";
  if (member.fieldKind === "map") return "{}";
  return member.presence === IMPLICIT_PRESENCE ? zeroOf(member) : undefined;
}

/**
 * The text of `read(reader, message, end, depth)`: merges into a message what stands up to the end.
 *
 * Like protobuf-es it goes by field numbers alone; of the wire type it looks only at whether a list is packed.
 */
export function readSource(desc: DescMessage, nameOf: NameOfPart): string {
  return `function read(reader, message, end, depth) {
  reader.descend(depth);
  while (reader.position < end) {
    const tag = reader.tag();
    switch (tag >>> 3) {
${desc.fields.map((field) => `      case ${field.number}: {\n${readField(field, nameOf)}\n        break;\n      }`).join("\n")}
      default:
        reader.unknown(message, tag, depth);
    }
  }
}`;
}

function readField(field: DescField, nameOf: NameOfPart): string {
  if (field.fieldKind === "map") return readMapEntry(field, nameOf);
  const name = literal(field.localName);
  if (field.fieldKind === "list") return readItems(field, `message[${name}]`, nameOf);
  if (field.oneof !== undefined) return readChoice(field, `message[${literal(field.oneof.localName)}]`, nameOf);
  if (field.message === undefined) return `        message[${name}] = reader.${methodOf(scalarOf(field))}();`;
  return `        let part = message[${name}];
        if (part === undefined) message[${name}] = part = ${nameOf(field.message)}.create();
        ${readPart(field.message, nameOf)}`;
}

/** Reads a message into `part`; where it ends must be read before. */
function readPart(desc: DescMessage, nameOf: NameOfPart): string {
  return `${nameOf(desc)}.read(reader, part, reader.end(), depth + 1);`;
}

function readChoice(field: DescField, oneof: string, nameOf: NameOfPart): string {
  const name = literal(field.localName);
  if (field.message === undefined)
    return `        ${oneof} = { case: ${name}, value: reader.${methodOf(scalarOf(field))}() };`;
  return `        const part = ${oneof}.case === ${name} ? ${oneof}.value : ${nameOf(field.message)}.create();
        ${readPart(field.message, nameOf)}
        ${oneof} = { case: ${name}, value: part };`;
}

function readItems(field: DescField & { fieldKind: "list" }, list: string, nameOf: NameOfPart): string {
  if (field.message !== undefined)
    return `        const part = ${nameOf(field.message)}.create();
        ${readPart(field.message, nameOf)}
        ${list}.push(part);`;
  const scalar = scalarOf(field);
  const item = `${list}.push(reader.${methodOf(scalar)}());`;
  if (isText(scalar)) return `        ${item}`;
  return `        if ((tag & 7) === 2) for (const last = reader.end(); reader.position < last; ) ${item}
        else ${item}`;
}

/** Other fields of an entry than key and value are not skipped, since protobuf-es does not. */
function readMapEntry(field: MapField, nameOf: NameOfPart): string {
  const isMessage = field.message !== undefined;
  const zero = isMessage ? `${nameOf(field.message)}.create()` : zeroOf(field);
  const value = isMessage
    ? `{ const part = ${nameOf(field.message)}.create(); ${readPart(field.message, nameOf)} value = part; }`
    : `value = reader.${methodOf(scalarOf(field))}();`;
  return `        let key, value;
        for (const last = reader.end(); reader.position < last; ) {
          const number = reader.tag() >>> 3;
          if (number === 1) key = reader.${methodOf(field.mapKey)}();
          else if (number === 2) ${value}
        }
        if (key === undefined) key = ${zeroOfScalar(field.mapKey)};
        if (value === undefined) value = ${zero};
        message[${literal(field.localName)}][${field.mapKey === ScalarType.BOOL ? "String(key)" : "key"}] = value;`;
}
