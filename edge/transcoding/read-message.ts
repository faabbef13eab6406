import type { ScalarType } from "@bufbuild/protobuf";
import { create, type DescField, type DescMessage, type Message, type Registry, toBinary } from "@bufbuild/protobuf";
import { AnySchema, hasCustomJsonRepresentation, isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { BadField, joinPath } from "./errors.ts";
import type { JsonNode } from "./json-text.ts";
import { enumReader, nodeOfText, scalarReader } from "./scalars.ts";
import { checkedName, readStructMessage, wellKnownReader } from "./well-known.ts";

/** Paths, by JSON names, that the body must not give, since the path or the query does. */
export type TakenPaths = ReadonlySet<string>;

/** What reading a value depends on beside the value. */
export interface ReadContext {
  taken: TakenPaths;
  /** The types that a google.protobuf.Any may hold; undefined: none. */
  registry: Registry | undefined;
}
export const NO_CONTEXT: ReadContext = { taken: new Set(), registry: undefined };

/** Makes a value in the form in which protobuf-es keeps it in a message. */
export type ReadValue = (node: JsonNode, path: string, context: ReadContext) => unknown;

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
 * Makes a message of any type from JSON, by ProtoJSON narrowed: fields that the contract does not know, fields given
 * twice (also as both names of one field), null, two members of a oneof and 64-bit integers as numbers are refused.
 *
 * @throws BadField that names the field.
 */
export function readMessage(desc: DescMessage, node: JsonNode, path = "", context = NO_CONTEXT): Message {
  if (desc.typeName === "google.protobuf.Struct") return readStructMessage(node, path);
  return messageReader(desc)(node, path, context) as Message;
}

/** Reads a message that has no JSON form of its own. */
function readFields(desc: DescMessage, node: JsonNode, path: string, context: ReadContext): Message {
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
    if (context.taken.has(fieldPath))
      throw new BadField(fieldPath, "is given by the path or the query and must not be in the body");
    if (seen.has(field)) throw new BadField(fieldPath, "is given twice");
    seen.add(field);
    setField(message, field, entry.read(value, fieldPath, context), fieldPath);
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
  if (desc.typeName === "google.protobuf.Any") return readAny;
  return wellKnownReader(desc) ?? ((node, path, context) => readFields(desc, node, path, context));
}

/** Reads an Any: "@type" says what it holds, and what it holds is read as strictly as everything else. */
function readAny(node: JsonNode, path: string, { registry }: ReadContext): Message {
  if (!(node instanceof Map)) throw new BadField(path, "must be an object");
  const any = create(AnySchema);
  if (node.size === 0) return any;
  const members = new Map<string, JsonNode>(node as ReadonlyMap<string, JsonNode>);
  const typeUrl = members.get("@type");
  const typePath = joinPath(path, "@type");
  if (typeof typeUrl !== "string" || !typeUrl.includes("/"))
    throw new BadField(typePath, "must name a type, as type.googleapis.com/package.Type");
  const desc = registry?.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  if (desc === undefined) throw new BadField(typePath, "is not a type of the contracts");
  members.delete("@type");
  const context = { ...NO_CONTEXT, registry };
  const message = hasCustomJsonRepresentation(desc)
    ? readMessage(desc, onlyValue(members, path), joinPath(path, "value"), context)
    : readFields(desc, members, path, context);
  try {
    return Object.assign(any, { typeUrl, value: toBinary(desc, message) });
  } catch {
    throw new BadField(path, "lacks a field that its type requires");
  }
}

/** The one member beside "@type" where the type has a JSON form of its own. */
function onlyValue(members: ReadonlyMap<string, JsonNode>, path: string): JsonNode {
  for (const name of members.keys())
    if (name !== "value") throw new BadField(joinPath(path, name), "is not a field of the request");
  const value = members.get("value");
  if (value === undefined) throw new BadField(joinPath(path, "value"), "is missing");
  return value;
}

function listReader(read: ReadValue): ReadValue {
  return (node, path, context) => {
    if (!Array.isArray(node)) throw new BadField(path, "must be a list");
    return node.map((item: JsonNode, index) => read(item, joinPath(path, index), context));
  };
}

/** Keys of maps are texts in JSON, whatever their type in the contract. */
function mapReader(key: ScalarType, read: ReadValue): ReadValue {
  const readKey = scalarReader(key, true);
  return (node, path, context) => {
    if (!(node instanceof Map)) throw new BadField(path, "must be an object");
    const entries: [string, unknown][] = [];
    for (const [name, value] of node as ReadonlyMap<string, JsonNode>) {
      const entryPath = joinPath(path, name);
      const keyValue = readKey(nodeOfText({ scalar: key, enum: undefined }, name, entryPath), entryPath);
      entries.push([checkedName(String(keyValue), entryPath), read(value, entryPath, context)]);
    }
    return Object.fromEntries(entries);
  };
}
