import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { literal, methodOf, partTag, scalarOf, scalarTag, zeroOf } from "./fields.ts";

type MapField = DescField & { fieldKind: "map" };

/** How the function for a message within is called. */
export type NameOfPart = (desc: DescMessage) => string;

/**
 * The text of `write(writer, message)`: fields by number, as protobuf-es writes them, then what is unknown.
 *
 * What is not of its field's type throws, by the writer's checks or by itself.
 */
export function writeSource(desc: DescMessage, nameOf: NameOfPart): string {
  const fields = desc.fields.toSorted((a, b) => a.number - b.number);
  return `function write(writer, message) {
  if (message.$typeName !== ${literal(desc.typeName)}) throw new TypeError("a message of another type");
  let value, start;
${fields.map((field) => writeField(field, nameOf)).join("\n")}
  const unknown = message.$unknown;
  if (unknown !== undefined) for (const { no, wireType, data } of unknown) {
    writer.tag(((no << 3) | wireType) >>> 0);
    writer.raw(data);
  }
}`;
}

function writeField(field: DescField, nameOf: NameOfPart): string {
  const get = `message[${literal(field.localName)}]`;
  if (field.fieldKind === "list") return `  value = ${get};\n${writeList(field, nameOf)}`;
  if (field.fieldKind === "map") return `  value = ${get};\n${writeMap(field, nameOf)}`;
  const one = writeOne(field, "value", nameOf);
  if (field.oneof !== undefined)
    return `  value = message[${literal(field.oneof.localName)}];
  if (value.case === ${literal(field.localName)}) { value = value.value; ${one} }`;
  return `  value = ${get};\n  if (${isSet(field)}) { ${one} }`;
}

const IMPLICIT_PRESENCE = 2;

function isSet(field: DescField): string {
  if (field.presence !== IMPLICIT_PRESENCE) return "value !== undefined";
  if (field.scalar === ScalarType.BYTES) return "writer.hasBytes(value)";
  // Minus zero is not the zero that may be left out.
  if (field.scalar === ScalarType.FLOAT || field.scalar === ScalarType.DOUBLE) return "!Object.is(value, 0)";
  return `value !== ${zeroOf(field)}`;
}

/** A tag and one value: of a singular field, or of an item of a list. */
function writeOne(field: DescField, value: string, nameOf: NameOfPart, number = field.number): string {
  if (field.message !== undefined)
    return `writer.tag(${partTag(number)}); start = writer.open(); ${nameOf(field.message)}.write(writer, ${value}); writer.close(start);`;
  const scalar = scalarOf(field);
  return `writer.tag(${scalarTag(number, scalar)}); writer.${methodOf(scalar)}(${value});`;
}

function writeList(field: DescField & { fieldKind: "list" }, nameOf: NameOfPart): string {
  const each = (body: string) => `for (let index = 0; index < value.length; index++) { ${body} }`;
  const items = field.packed
    ? `if (value.length > 0) { writer.tag(${partTag(field.number)}); start = writer.open(); ${each(`writer.${methodOf(scalarOf(field))}(value[index]);`)} writer.close(start); }`
    : each(writeOne(field, "value[index]", nameOf));
  return `  if (!Array.isArray(value)) throw new TypeError("not a list");\n  ${items}`;
}

function writeMap(field: MapField, nameOf: NameOfPart): string {
  // The start of the entry has a name of its own, since a message within uses the other.
  return `  for (const key of Object.keys(value)) {
    writer.tag(${partTag(field.number)});
    const entry = writer.open();
    writer.tag(${scalarTag(1, field.mapKey)});
    writer.${methodOf(field.mapKey)}(${mapKeyOf(field.mapKey)});
    ${writeOne(field, "value[key]", nameOf, 2)}
    writer.close(entry);
  }`;
}

/** A key of a map is the name of a property in a message, whatever its type. */
function mapKeyOf(scalar: ScalarType): string {
  if (scalar === ScalarType.STRING) return "key";
  if (scalar === ScalarType.BOOL) return `key === "true" ? true : key === "false" ? false : key`;
  return methodOf(scalar).endsWith("64") ? "BigInt(key)" : "Number.parseInt(key)";
}
