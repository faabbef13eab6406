import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { FieldViolation } from "@ferry/platform/errors";

type NameOf = (field: DescField) => string;

/** What the parts of a search are compiled with: what of it there is already, and how its fields are named. */
interface Compiling {
  known: Map<string, { check?: Check }>;
  nameOf: NameOf;
}

/** Adds the paths of texts with a NUL character to `found`. */
type Check = (value: unknown, path: string, found: string[]) => void;

const NUL = "\u0000";
const checkText: Check = (value, path, found) => {
  if (typeof value === "string" && value.includes(NUL)) found.push(path);
};

/**
 * Compiles, for a message type, the search for NUL characters in its texts. PostgreSQL text cannot
 * hold them, so they are refused where they come in rather than where they fail.
 *
 * @param nameOf How fields are named. Default: as in the contract.
 */
export function compileNullCheck(
  desc: DescMessage,
  nameOf: NameOf = ({ name }) => name,
): (message: Message) => FieldViolation[] {
  const check = compileMessage(desc, { known: new Map(), nameOf });
  return (message) => {
    const found: string[] = [];
    check?.(message, "", found);
    return found.map((field) => ({ field, description: "must not contain the character NUL" }));
  };
}

/** Undefined when no field of the type can hold text. Types that hold themselves meet their own check in `known`. */
function compileMessage(desc: DescMessage, compiling: Compiling): Check | undefined {
  const slot: { check?: Check } = {};
  compiling.known.set(desc.typeName, slot);
  const fields: { field: DescField; name: string; check: Check }[] = [];
  for (const field of desc.fields) {
    const check = compileField(field, compiling);
    if (check !== undefined) fields.push({ field, name: compiling.nameOf(field), check });
  }
  if (fields.length === 0) return undefined;
  slot.check = (value, path, found) => {
    if (typeof value !== "object" || value === null) return checkText(value, path, found);
    const record = value as Record<string, unknown>;
    for (const { field, name, check } of fields) {
      const held = readField(record, field);
      if (held !== undefined) check(held, path === "" ? name : `${path}.${name}`, found);
    }
  };
  return slot.check;
}

function readField(record: Record<string, unknown>, field: DescField): unknown {
  if (field.oneof === undefined) return record[field.localName];
  const chosen = record[field.oneof.localName] as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

function compileField(field: DescField, compiling: Compiling): Check | undefined {
  const element = compileElement(field, compiling);
  if (field.fieldKind === "list") {
    if (element === undefined) return undefined;
    return (value, path, found) => {
      (value as readonly unknown[]).forEach((item, index) => {
        element(item, `${path}[${index}]`, found);
      });
    };
  }
  if (field.fieldKind === "map")
    return (value, path, found) => {
      for (const [key, item] of Object.entries(value as object)) {
        checkText(key, path, found);
        element?.(item, `${path}["${key.replaceAll(NUL, "")}"]`, found);
      }
    };
  return element;
}

function compileElement(field: DescField, compiling: Compiling): Check | undefined {
  if (field.message === undefined) return field.scalar === STRING ? checkText : undefined;
  const recursive = compiling.known.get(field.message.typeName);
  if (recursive !== undefined) return (value, path, found) => recursive.check?.(value, path, found);
  return compileMessage(field.message, compiling);
}

/** google.protobuf.FieldDescriptorProto.Type.TYPE_STRING. */
const STRING = 9;
