import { create, type DescMessage, fromJson, type JsonValue, type Message } from "@bufbuild/protobuf";
import { isWrapperDesc, StructSchema } from "@bufbuild/protobuf/wkt";
import { BadField, joinPath } from "./errors.ts";
import { type JsonNode, JsonNumber } from "./json-text.ts";
import { scalarReader } from "./scalars.ts";

/** Reads a type that has a JSON form of its own. */
type ReadWellKnown = (node: JsonNode, path: string) => unknown;

const DAY = /[0-9]{4}-(?:0[1-9]|1[0-2])-[0-9]{2}/.source;
const TIME = /(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?/.source;
const TIMESTAMP = new RegExp(`^${DAY}T${TIME}(?:Z|[+-][0-9]{2}:[0-9]{2})$`);
const DURATION = /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/;
const FIELD_MASK = /^(?:[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*(?:,[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*)*)?$/;

/**
 * The reader of a type with a JSON form of its own, google.protobuf.Any aside; undefined for all other types.
 * protobuf-es reads what is checked here before: by itself it takes a 30th of February and "1 second" for "1s".
 */
export function wellKnownReader(desc: DescMessage): ReadWellKnown | undefined {
  if (isWrapperDesc(desc)) {
    const read = scalarReader(desc.fields[0].scalar);
    return (node, path) => Object.assign(create(desc), { value: read(node, path) });
  }
  switch (desc.typeName) {
    case "google.protobuf.Struct":
      return readStruct;
    case "google.protobuf.Value":
      return (node, path) => parsed(desc, plainJson(node, path), path, "must be JSON");
    case "google.protobuf.ListValue":
      return (node, path) => parsed(desc, plainJson(node, path), path, "must be a list");
    case "google.protobuf.Timestamp":
      return textReader(desc, isTime, "must be a time by RFC 3339, as 2026-01-31T12:00:00Z");
    case "google.protobuf.Duration":
      return textReader(desc, (text) => DURATION.test(text), "must be a duration in seconds, as 1.5s");
    case "google.protobuf.FieldMask":
      return textReader(desc, (text) => FIELD_MASK.test(text), "must be field names separated by commas");
    default:
      return undefined;
  }
}

/** A Struct that is no field but a message by itself: the whole request, or inside of an Any. */
export function readStructMessage(node: JsonNode, path: string): Message {
  return fromJson(StructSchema, readStruct(node, path));
}

/** As a field, protobuf-es keeps a Struct as the plain object. */
function readStruct(node: JsonNode, path: string): { [name: string]: JsonValue } {
  if (!(node instanceof Map)) throw new BadField(path, "must be an object");
  return plainJson(node, path) as { [name: string]: JsonValue };
}

function textReader(desc: DescMessage, fits: (text: string) => boolean, description: string): ReadWellKnown {
  return (node, path) => {
    if (typeof node !== "string" || !fits(node)) throw new BadField(path, description);
    return parsed(desc, node, path, description);
  };
}

function isTime(text: string): boolean {
  if (!TIMESTAMP.test(text)) return false;
  const day = Number(text.slice(8, 10));
  return day > 0 && day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
}

function parsed(desc: DescMessage, value: JsonValue, path: string, description: string): Message {
  try {
    return fromJson(desc, value);
  } catch {
    throw new BadField(path, description);
  }
}

/**
 * The same JSON in the form of JSON.parse, for types whose content is free: their numbers are doubles by contract.
 * @throws BadField for a number that no double can be, and for a name that protobuf-es would lose.
 */
function plainJson(node: JsonNode, path: string): JsonValue {
  if (node instanceof JsonNumber) {
    const value = Number(node.text);
    if (!Number.isFinite(value)) throw new BadField(path, "is out of range");
    return value;
  }
  if (node instanceof Map) {
    const members = [...(node as ReadonlyMap<string, JsonNode>)].map(([name, value]): [string, JsonValue] => {
      const memberPath = joinPath(path, name);
      return [checkedName(name, memberPath), plainJson(value, memberPath)];
    });
    return Object.fromEntries(members);
  }
  if (Array.isArray(node)) return node.map((item: JsonNode, index) => plainJson(item, joinPath(path, index)));
  return node as string | boolean | null;
}

/** A name that a sender chooses. protobuf-es keeps such in plain objects, where "__proto__" is no name. */
export function checkedName(name: string, path: string): string {
  if (name === "__proto__") throw new BadField(path, "is a name that cannot be used");
  return name;
}
