import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  type ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { BadField, joinPath } from "./errors.ts";
import { type JsonNode, JsonNumber } from "./json-text.ts";
import { enumReader, nodeOfText, scalarReader } from "./scalars.ts";

/** Paths, by JSON names, that the body must not give, since the path or the query does. */
export type TakenPaths = ReadonlySet<string>;
const NOTHING_TAKEN: TakenPaths = new Set();

/** Makes a value in the form in which protobuf-es keeps it in a message. */
export type ReadValue = (node: JsonNode, path: string, taken: TakenPaths) => unknown;

export interface FieldPlan {
  field: DescField;
  read: ReadValue;
}

/** What is known of a message type, worked out once. */
interface MessagePlan {
  /** By JSON name and by proto name: ProtoJSON takes both. */
  fields: ReadonlyMap<string, FieldPlan>;
}

/** Messages as objects by field name; the one place where the generated types are looked behind. */
type Target = Record<string, unknown>;

const plans = new WeakMap<DescMessage, MessagePlan>();

/** The plan of a message type. Fields' readers are made when they are first needed, since types may contain themselves. */
export function planOf(desc: DescMessage): MessagePlan {
  const known = plans.get(desc);
  if (known !== undefined) return known;
  const fields = new Map<string, FieldPlan>();
  const made = { fields };
  plans.set(desc, made);
  for (const field of desc.fields) {
    const plan = { field, read: fieldReader(field) };
    fields.set(field.jsonName, plan);
    fields.set(field.name, plan);
  }
  return made;
}

/**
 * Makes a message from JSON, by ProtoJSON narrowed: fields that the contract does not know, fields given twice
 * (also as both names of one field), null, two members of a oneof and 64-bit integers as numbers are refused.
 *
 * @param taken Paths that must not be given. Default none.
 * @throws BadField that names the field.
 */
export function readMessage(desc: DescMessage, node: JsonNode, path = "", taken: TakenPaths = NOTHING_TAKEN): Message {
  if (!(node instanceof Map))
    throw new BadField(path, path === "" ? "the body must be a JSON object" : "must be an object");
  const plan = planOf(desc);
  const message = create(desc);
  const seen = new Set<DescField>();
  for (const [name, value] of node as ReadonlyMap<string, JsonNode>) {
    const entry = plan.fields.get(name);
    if (entry === undefined) throw new BadField(joinPath(path, name), "is not a field of the request");
    const { field } = entry;
    const fieldPath = joinPath(path, field.jsonName);
    if (taken.has(fieldPath))
      throw new BadField(fieldPath, "is given by the path or the query and must not be in the body");
    if (seen.has(field)) throw new BadField(fieldPath, "is given twice");
    seen.add(field);
    setField(message, field, entry.read(value, fieldPath, taken), fieldPath);
  }
  return message;
}

/** Sets a field to a value in protobuf-es's form. @throws BadField when another member of its oneof is set. */
export function setField(message: Message, field: DescField, value: unknown, path: string): void {
  const target = message as unknown as Target;
  if (field.oneof === undefined) {
    target[field.localName] = value;
    return;
  }
  const current = target[field.oneof.localName] as { case?: string };
  if (current.case !== undefined && current.case !== field.localName)
    throw new BadField(path, `cannot be given together with ${current.case}: they exclude each other`);
  target[field.oneof.localName] = { case: field.localName, value };
}

function fieldReader(field: DescField): ReadValue {
  const read = singleReader(field);
  if (field.fieldKind === "list") return listReader(read);
  if (field.fieldKind === "map") return mapReader(field.mapKey, read);
  if (field.fieldKind === "message" && field.oneof === undefined && isWrapperDesc(field.message)) {
    // protobuf-es keeps wrappers outside of oneofs as the bare value.
    return scalarReader(field.message.fields[0].scalar) as ReadValue;
  }
  return read;
}

/** Reads one value of the field's type: the field itself, an item of a list, or a value of a map. */
function singleReader(field: DescField): ReadValue {
  if (field.message !== undefined) return messageReader(field.message);
  if (field.enum !== undefined) return enumReader(field.enum);
  return scalarReader(field.scalar, "longAsString" in field && field.longAsString);
}

function messageReader(desc: DescMessage): ReadValue {
  if (isWrapperDesc(desc)) {
    const read = scalarReader(desc.fields[0].scalar);
    return (node, path) => Object.assign(create(desc), { value: read(node, path) });
  }
  switch (desc.typeName) {
    case "google.protobuf.Struct":
      return (node, path) => {
        if (!(node instanceof Map)) throw new BadField(path, "must be an object");
        return plainJson(node);
      };
    case "google.protobuf.Value":
    case "google.protobuf.ListValue":
      return (node, path) => knownType(desc, plainJson(node), path, "must be a list");
    case "google.protobuf.Timestamp":
      return (node, path) => knownType(desc, textOf(node), path, "must be a time by RFC 3339, as 2026-01-31T12:00:00Z");
    case "google.protobuf.Duration":
      return (node, path) => knownType(desc, textOf(node), path, "must be a duration in seconds, as 1.5s");
    case "google.protobuf.FieldMask":
      return (node, path) => knownType(desc, textOf(node), path, "must be field names separated by commas");
    default:
      return (node, path, taken) => readMessage(desc, node, path, taken);
  }
}

function textOf(node: JsonNode): string | undefined {
  return typeof node === "string" ? node : undefined;
}

function knownType(desc: DescMessage, value: JsonValue | undefined, path: string, description: string): Message {
  if (value === undefined) throw new BadField(path, description);
  try {
    return fromJson(desc, value);
  } catch {
    throw new BadField(path, description);
  }
}

function listReader(read: ReadValue): ReadValue {
  return (node, path, taken) => {
    if (!Array.isArray(node)) throw new BadField(path, "must be a list");
    return node.map((item: JsonNode, index) => read(item, joinPath(path, index), taken));
  };
}

/** Keys of maps are texts in JSON, whatever their type in the contract. */
function mapReader(key: ScalarType, read: ReadValue): ReadValue {
  const readKey = scalarReader(key, true);
  return (node, path, taken) => {
    if (!(node instanceof Map)) throw new BadField(path, "must be an object");
    const entries: [string, unknown][] = [];
    for (const [name, value] of node as ReadonlyMap<string, JsonNode>) {
      const entryPath = joinPath(path, name);
      const keyValue = readKey(nodeOfText({ scalar: key, enum: undefined }, name, entryPath), entryPath);
      entries.push([String(keyValue), read(value, entryPath, taken)]);
    }
    return Object.fromEntries(entries);
  };
}

/** The same JSON in the form of JSON.parse, for types whose content is free. */
function plainJson(node: JsonNode): JsonValue {
  if (node instanceof JsonNumber) return Number(node.text);
  if (node instanceof Map) return Object.fromEntries([...node].map(([name, value]) => [name, plainJson(value)]));
  if (Array.isArray(node)) return node.map(plainJson);
  return node as string | boolean | null;
}
