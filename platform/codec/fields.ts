import { type DescField, type DescMessage, protoInt64, ScalarType } from "@bufbuild/protobuf";
import { Edition, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import type { Writer } from "./writer.ts";

/** The method of Reader and of Writer for a type of scalar. */
const METHODS: Readonly<Record<ScalarType, keyof Writer>> = {
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "bytesOf",
  [ScalarType.BOOL]: "bool",
  [ScalarType.INT32]: "int32",
  [ScalarType.SINT32]: "sint32",
  [ScalarType.SFIXED32]: "sfixed32",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.FIXED32]: "fixed32",
  [ScalarType.INT64]: "int64",
  [ScalarType.SINT64]: "sint64",
  [ScalarType.SFIXED64]: "sfixed64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.FIXED64]: "fixed64",
  [ScalarType.FLOAT]: "float",
  [ScalarType.DOUBLE]: "double",
};

/** The type of scalar on the wire: that of the values of lists and maps, and of enums. */
export function scalarOf(field: DescField): ScalarType {
  return field.scalar ?? ScalarType.INT32;
}

export function methodOf(scalar: ScalarType): string {
  return METHODS[scalar];
}

export function isText(scalar: ScalarType): boolean {
  return scalar === ScalarType.STRING || scalar === ScalarType.BYTES;
}

function wireTypeOf(scalar: ScalarType): number {
  if (isText(scalar)) return 2;
  if ([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64].includes(scalar)) return 1;
  return [ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32].includes(scalar) ? 5 : 0;
}

/** The tag before a length-delimited part: a message, an entry of a map, a packed list. */
export function partTag(number: number): number {
  return ((number << 3) | 2) >>> 0;
}

export function scalarTag(number: number, scalar: ScalarType): number {
  return ((number << 3) | wireTypeOf(scalar)) >>> 0;
}

/** A value as JavaScript text; property names and type names come from contracts and must not end a literal. */
export function literal(value: string | number | boolean | bigint): string {
  return typeof value === "bigint" ? `${value}n` : JSON.stringify(value);
}

/** What an absent field reads as, as JavaScript text. */
export function zeroOf(field: DescField): string {
  if (field.enum !== undefined) return literal(field.enum.values[0]!.number);
  return zeroOfScalar(field.scalar!);
}

export function zeroOfScalar(scalar: ScalarType): string {
  if (scalar === ScalarType.STRING) return literal("");
  if (scalar === ScalarType.BYTES) return "new Uint8Array(0)";
  if (scalar === ScalarType.BOOL) return literal(false);
  return literal(METHODS[scalar].endsWith("64") ? 0n : 0);
}

/**
 * Whether messages of a type, and all that they can hold, are of the plain kind that codecs are
 * compiled for: proto3 with open enums, and no field that protobuf-es keeps in another form
 * (wrappers, Struct, 64-bit integers as text).
 */
export function isPlain(desc: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(desc)) return true;
  seen.add(desc);
  if (desc.file.edition !== Edition.EDITION_PROTO3 || !protoInt64.supported) return false;
  return desc.fields.every(
    (field) => isPlainField(field) && (field.message === undefined || isPlain(field.message, seen)),
  );
}

function isPlainField(field: DescField): boolean {
  if (field.localName in Object.prototype || ("longAsString" in field && field.longAsString)) return false;
  if ("delimitedEncoding" in field && field.delimitedEncoding) return false;
  if ("utf8Validation" in field && !field.utf8Validation) return false;
  if (field.enum !== undefined) return field.enum.open;
  if (field.message === undefined) return true;
  return !isWrapperDesc(field.message) && field.message.typeName !== "google.protobuf.Struct";
}
