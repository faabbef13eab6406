import { type DescEnum, type DescField, ScalarType } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { BadField } from "./errors.ts";
import { checkedText, type JsonNode, JsonNumber } from "./json-text.ts";

/** Makes a field's value from JSON; throws BadField for whatever is not exactly of the field's kind. */
export type ReadScalar = (node: JsonNode, path: string) => unknown;

const INTEGER = /^(?:0|-?[1-9][0-9]*)$/;

function wholeNumberReader(min: number, max: number): ReadScalar {
  return (node, path) => {
    if (!(node instanceof JsonNumber) || !INTEGER.test(node.text)) throw new BadField(path, "must be a whole number");
    const value = Number(node.text);
    if (value < min || value > max) throw new BadField(path, `must be between ${min} and ${max}`);
    return value;
  };
}

/** 64 bits do not fit a JSON number of most languages: a text of digits is the one form that nobody rounds. */
function bigIntegerReader(bits: { min: bigint; max: bigint }, asText: boolean): ReadScalar {
  return (node, path) => {
    if (typeof node !== "string" || !INTEGER.test(node)) throw new BadField(path, "must be a string of decimal digits");
    const value = node.length <= 20 ? BigInt(node) : undefined;
    if (value === undefined || value < bits.min || value > bits.max)
      throw new BadField(path, `must be between ${bits.min} and ${bits.max}`);
    return asText ? node : value;
  };
}

/** @param round To the nearest value that the type can hold: what is beyond all of them becomes infinite. */
function realNumberReader(round: (value: number) => number): ReadScalar {
  return (node, path) => {
    if (node === "NaN" || node === "Infinity" || node === "-Infinity") return Number(node);
    if (!(node instanceof JsonNumber)) throw new BadField(path, "must be a number");
    const value = round(Number(node.text));
    if (!Number.isFinite(value)) throw new BadField(path, "is out of range");
    return value;
  };
}

const readText: ReadScalar = (node, path) => {
  if (typeof node !== "string") throw new BadField(path, "must be a string");
  return node;
};

const readBool: ReadScalar = (node, path) => {
  if (typeof node !== "boolean") throw new BadField(path, "must be true or false");
  return node;
};

const readBytes: ReadScalar = (node, path) => {
  if (typeof node === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(node)) {
    try {
      return base64Decode(node);
    } catch {
      // The length fits no whole number of bytes: said below like any other bad text.
    }
  }
  throw new BadField(path, "must be a string in base64");
};

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const UINT64 = { min: 0n, max: 2n ** 64n - 1n };

/** @param longAsString Whether the generated type of a 64-bit field is string rather than bigint (jstype). */
export function scalarReader(scalar: ScalarType, longAsString = false): ReadScalar {
  switch (scalar) {
    case ScalarType.STRING:
      return readText;
    case ScalarType.BOOL:
      return readBool;
    case ScalarType.BYTES:
      return readBytes;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return wholeNumberReader(-(2 ** 31), 2 ** 31 - 1);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return wholeNumberReader(0, 2 ** 32 - 1);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return bigIntegerReader(INT64, longAsString);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return bigIntegerReader(UINT64, longAsString);
    case ScalarType.FLOAT:
      return realNumberReader(Math.fround);
    case ScalarType.DOUBLE:
      return realNumberReader((value) => value);
  }
}

/** Reads an enum by the name of its value; a number says nothing to who reads the request later. */
export function enumReader(desc: DescEnum): ReadScalar {
  const numbers = new Map(desc.values.map((value) => [value.name, value.number]));
  return (node, path) => {
    if (node === null && desc.typeName === "google.protobuf.NullValue") return 0;
    const value = typeof node === "string" ? numbers.get(node) : undefined;
    if (value === undefined) throw new BadField(path, `must be one of ${[...numbers.keys()].join(", ")}`);
    return value;
  };
}

/**
 * Gives a text of the path or the query the JSON form that its field's reader takes. Enums may also be given
 * by number there; a text that does not fit is handed on as it is, for the reader to refuse in its own words.
 */
export function nodeOfText(field: Pick<DescField, "scalar" | "enum">, text: string, path: string): JsonNode {
  if (field.enum !== undefined) {
    const byNumber = INTEGER.test(text) ? field.enum.value[Number(text)] : undefined;
    return byNumber?.name ?? text;
  }
  switch (field.scalar) {
    case undefined:
    case ScalarType.STRING:
      return checkedText(text, path);
    case ScalarType.BOOL:
      return text === "true" ? true : text === "false" ? false : text;
    case ScalarType.BYTES:
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return text;
    default:
      return /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text) ? new JsonNumber(text) : text;
  }
}
