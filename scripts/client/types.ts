// Types of the client: a message as answers show it (fields are there, with their defaults), and as a request gives it.
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { field as fieldRules, oneof as oneofRules } from "@ferry/gen/buf/validate/validate_pb.ts";

/** Whether a type is what a client sends or what it gets. */
export type Side = "input" | "output";

/** Gives the name of a message or enum where it is used, and sees to it that it is declared there. */
export type NameOf = (desc: DescMessage | DescEnum, side: Side) => string;
export type CommentOf = (fullName: string) => string | undefined;

const WELL_KNOWN: Readonly<Record<string, Record<Side, string>>> = {
  "google.protobuf.Timestamp": { input: "TimeInput", output: "string" },
  "google.protobuf.Duration": { input: "string", output: "string" },
  "google.protobuf.FieldMask": { input: "string", output: "string" },
  "google.protobuf.Struct": { input: "Record<string, JsonValue>", output: "Record<string, JsonValue>" },
  "google.protobuf.Value": { input: "JsonValue", output: "JsonValue" },
  "google.protobuf.ListValue": { input: "JsonValue[]", output: "JsonValue[]" },
  "google.protobuf.Any": { input: "Record<string, JsonValue>", output: "Record<string, JsonValue>" },
};

function scalarType(scalar: ScalarType, side: Side): string {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES: // In base64.
      return "string";
    case ScalarType.BOOL:
      return "boolean";
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return side === "input" ? "Int64Input" : "string";
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return 'number | "NaN" | "Infinity" | "-Infinity"';
    default:
      return "number";
  }
}

/** The type of one value of a field; of a list, of its items. */
export function valueType(field: Pick<DescField, "scalar" | "enum" | "message">, side: Side, nameOf: NameOf): string {
  const { message } = field;
  if (message !== undefined) {
    const known = WELL_KNOWN[message.typeName];
    if (known !== undefined) return known[side];
    if (isWrapperDesc(message)) return scalarType(message.fields[0]!.scalar!, side);
    return nameOf(message, side);
  }
  if (field.enum !== undefined)
    return field.enum.typeName === "google.protobuf.NullValue" ? "null" : nameOf(field.enum, side);
  return scalarType(field.scalar!, side);
}

export function fieldType(field: DescField, side: Side, nameOf: NameOf): string {
  const value = valueType(field, side, nameOf);
  if (field.fieldKind === "map") return `Record<string, ${value}>`;
  if (field.fieldKind !== "list") return value;
  const items = value.includes("|") ? `(${value})[]` : `${value}[]`;
  return side === "input" ? `readonly ${items}` : items;
}

/** Whether a request without the field breaks its rules for certain. */
function mustBeGiven(field: DescField): boolean {
  const rules = getOption(field, fieldRules);
  if (rules.required) return true;
  if (field.fieldKind !== "scalar" || rules.type.case !== "string") return false;
  const { minLen, pattern, wellKnown } = rules.type.value;
  if (minLen > 0n || (wellKnown.case !== undefined && wellKnown.value !== false)) return true;
  return pattern !== "" && !new RegExp(pattern).test("");
}

export function docText(comment: string | undefined, indent = ""): string {
  if (comment === undefined) return "";
  const safe = comment.replaceAll("*/", "*\\/");
  if (!safe.includes("\n") && safe.length < 100) return `${indent}/** ${safe} */\n`;
  const lines = safe.split("\n").flatMap((line) => wrapped(line, 110));
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === "" ? "" : ` ${line}`}\n`).join("")}${indent} */\n`;
}

function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

export function enumText(desc: DescEnum, name: string, commentOf: CommentOf): string {
  const values = desc.values.map((value) => {
    const doc = docText(commentOf(`${desc.typeName}.${value.name}`), "  ");
    return `${doc}  | ${JSON.stringify(value.name)}`;
  });
  return `${docText(commentOf(desc.typeName))}export type ${name} =\n${values.join("\n")};\n`;
}

/**
 * Declares a message.
 * @param leaveOut Fields that the edge does not show, as the one that tells a replay.
 * @param inPath Fields that a request must give, since the path is made of them.
 * @param always Messages that an answer never lacks.
 */
export function messageText(
  desc: DescMessage,
  side: Side,
  name: string,
  {
    nameOf,
    commentOf,
    leaveOut,
    inPath,
    always,
  }: {
    nameOf: NameOf;
    commentOf: CommentOf;
    leaveOut: ReadonlySet<DescField>;
    inPath: ReadonlySet<DescField>;
    always: ReadonlySet<DescField>;
  },
): string {
  const doc = docText(commentOf(desc.typeName));
  const line = (field: DescField, optional: boolean) =>
    `${docText(commentOf(`${desc.typeName}.${field.name}`), "  ")}  ${field.jsonName}${optional ? "?" : ""}: ${fieldType(field, side, nameOf)};\n`;
  const isAbsentable = (field: DescField) =>
    !always.has(field) && (field.fieldKind === "message" || field.oneof !== undefined || field.proto.proto3Optional);
  const shown = desc.fields.filter((field) => !leaveOut.has(field));
  if (side === "output")
    return `${doc}export interface ${name} {\n${shown.map((field) => line(field, isAbsentable(field))).join("")}}\n`;
  const oneofs = desc.oneofs.filter(({ fields }) => !fields.every((field) => field.proto.proto3Optional));
  const plain = shown.filter((field) => field.oneof === undefined || !oneofs.includes(field.oneof));
  const lines = plain.map((field) => line(field, !inPath.has(field) && !mustBeGiven(field))).join("");
  if (oneofs.length === 0) return `${doc}export interface ${name} {\n${lines}}\n`;
  const parts = [...(lines === "" ? [] : [`{\n${lines}}`]), ...oneofs.map((oneof) => `(${oneofType(oneof, nameOf)})`)];
  return `${doc}export type ${name} = ${parts.join(" & ")};\n`;
}

/** One member at most, or exactly one where the contract requires it. */
function oneofType(oneof: DescOneof, nameOf: NameOf): string {
  const choices = oneof.fields.map((given) =>
    oneof.fields
      .map((field) =>
        field === given ? `${field.jsonName}: ${fieldType(field, "input", nameOf)}` : `${field.jsonName}?: never`,
      )
      .join("; "),
  );
  if (!getOption(oneof, oneofRules).required)
    choices.push(oneof.fields.map(({ jsonName }) => `${jsonName}?: never`).join("; "));
  return choices.map((choice) => `{ ${choice} }`).join(" | ");
}
