import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
  type Registry,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { hasCustomJsonRepresentation, type Timestamp } from "@bufbuild/protobuf/wkt";

/** Makes the JSON text of a message. */
export type WriteMessage = (message: Message) => string;

/** Makes the JSON text of a field's value. */
type WriteValue = (value: never) => string;
/** Makes `"name":value` of a message that has the field, or undefined where it does not. */
type WriteField = (message: Record<string, unknown>) => string | undefined;

/** Thrown while a writer is compiled: the type holds something whose JSON is for protobuf-es to write. */
class NotCompiled extends Error {}

/**
 * Compiles the writer of a message type: ProtoJSON with defaults always shown (a zero balance, an empty list),
 * 64-bit integers as text, absent messages and members of a oneof left out.
 *
 * The text is protobuf-es's own, character by character, made without looking at descriptors for each answer:
 * 3 us instead of 14 for a transfer with its steps. Types with a JSON form of their own, Timestamp aside, are
 * left to protobuf-es, together with the messages that they stand in.
 *
 * @param omit A field of the message itself that is not shown.
 * @param only The field that alone is the answer (response_body); default the whole message.
 * @param registry The types that a google.protobuf.Any may hold; default none, so that one cannot be written.
 */
export function messageWriter(
  desc: DescMessage,
  omit?: DescField,
  only?: DescField,
  registry?: Registry,
): WriteMessage {
  try {
    return compile(desc, omit, only);
  } catch (error) {
    if (!(error instanceof NotCompiled)) throw error;
    return reflectingWriter(desc, omit, only, registry);
  }
}

/** The same by protobuf-es itself, for every type. */
export function reflectingWriter(
  desc: DescMessage,
  omit?: DescField,
  only?: DescField,
  registry?: Registry,
): WriteMessage {
  const options = { alwaysEmitImplicit: true, ...(registry === undefined ? {} : { registry }) };
  return (message) => {
    const json = toJson(desc, message, options) as Record<string, unknown>;
    if (omit !== undefined) delete json[omit.jsonName];
    return JSON.stringify(only === undefined ? json : (json[only.jsonName] ?? null));
  };
}

function compile(desc: DescMessage, omit: DescField | undefined, only: DescField | undefined): WriteMessage {
  if (hasCustomJsonRepresentation(desc)) throw new NotCompiled();
  const known = new Map<DescMessage, { write?: WriteValue }>();
  if (only === undefined) return writerOf(desc, known, omit) as WriteMessage;
  const write = fieldWriter(only, known);
  const nameLength = JSON.stringify(only.jsonName).length + 1;
  return (message) => write(message as unknown as Record<string, unknown>)?.slice(nameLength) ?? "null";
}

/** Types that hold themselves meet their own writer in `known`. */
function writerOf(desc: DescMessage, known: Map<DescMessage, { write?: WriteValue }>, omit?: DescField): WriteValue {
  const fields = desc.fields.filter((field) => field !== omit).sort((a, b) => a.number - b.number);
  const slot: { write?: WriteValue } = {};
  if (omit === undefined) known.set(desc, slot);
  const writers = fields.map((field) => fieldWriter(field, known));
  slot.write = (message: Record<string, unknown>) => {
    let text = "";
    for (const write of writers) {
      const member = write(message);
      if (member !== undefined) text += text === "" ? member : `,${member}`;
    }
    return `{${text}}`;
  };
  return slot.write;
}

function fieldWriter(field: DescField, known: Map<DescMessage, { write?: WriteValue }>): WriteField {
  const name = `${JSON.stringify(field.jsonName)}:`;
  const { localName, oneof } = field;
  if (field.fieldKind === "list") {
    const write = valueWriter(field, known);
    return (message) => `${name}[${(message[localName] as never[]).map(write).join(",")}]`;
  }
  if (field.fieldKind === "map") {
    const write = valueWriter(field, known);
    return (message) => {
      const entries = Object.entries(message[localName] as Record<string, never>);
      return `${name}{${entries.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(",")}}`;
    };
  }
  const write = valueWriter(field, known);
  if (oneof !== undefined)
    return (message) => {
      const chosen = message[oneof.localName] as { case?: string; value?: unknown };
      return chosen.case === localName ? name + write(chosen.value as never) : undefined;
    };
  if (field.presence === IMPLICIT) return (message) => name + write(message[localName] as never);
  if (field.fieldKind !== "message") throw new NotCompiled(); // Whether it was set is for protobuf-es to know.
  return (message) => {
    const value = message[localName];
    return value === undefined ? undefined : name + write(value as never);
  };
}

/** google.protobuf.FeatureSet.FieldPresence.IMPLICIT. */
const IMPLICIT = 2;

function valueWriter(field: DescField, known: Map<DescMessage, { write?: WriteValue }>): WriteValue {
  if (field.enum !== undefined) return enumWriter(field.enum);
  if (field.message === undefined) return scalarWriter(field.scalar);
  const { message } = field;
  if (message.typeName === "google.protobuf.Timestamp") return writeTimestamp as WriteValue;
  if (hasCustomJsonRepresentation(message)) throw new NotCompiled();
  const slot = known.get(message);
  return slot === undefined ? writerOf(message, known) : (value) => slot.write!(value);
}

function scalarWriter(scalar: ScalarType): WriteValue {
  switch (scalar) {
    case ScalarType.STRING:
      return JSON.stringify;
    case ScalarType.BOOL:
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return String;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return (value: bigint | string) => `"${value}"`;
    case ScalarType.BYTES:
      return (value: Uint8Array) => `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64")}"`;
    default:
      throw new NotCompiled(); // FLOAT and DOUBLE, of which no contract here has any: they have values that are no numbers.
  }
}

/** Numbers without a name stay numbers, as in protobuf-es. */
function enumWriter(desc: DescEnum): WriteValue {
  if (desc.typeName === "google.protobuf.NullValue") return () => "null";
  const names = new Map(desc.values.map(({ number, name }) => [number, `"${name}"`]));
  return (value: number) => names.get(value) ?? String(value);
}

const FIRST_SECOND = Date.parse("0001-01-01T00:00:00Z") / 1_000;
const LAST_SECOND = Date.parse("9999-12-31T23:59:59Z") / 1_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, second) => String(second).padStart(2, "0"));
/** The minute that was written last, and its text: the times in one answer are mostly of one minute. */
let lastMinute = Number.NaN;
let lastText = "";

/** By RFC 3339, with as many digits of the second as it needs: none, 3, 6 or 9. */
function writeTimestamp({ seconds, nanos }: Timestamp): string {
  const second = Number(seconds);
  if (!(second >= FIRST_SECOND && second <= LAST_SECOND)) throw new Error("a time is beyond the years 1 to 9999");
  if (nanos < 0) throw new Error("a time has negative nanoseconds");
  const minute = Math.floor(second / 60);
  if (minute !== lastMinute) {
    lastText = new Date(minute * 60_000).toISOString().slice(0, 17);
    lastMinute = minute;
  }
  const text = `"${lastText}${TWO_DIGITS[second - minute * 60]}`;
  if (nanos === 0) return `${text}Z"`;
  const digits = String(nanos).padStart(9, "0");
  if (digits.endsWith("000000")) return `${text}.${digits.slice(0, 3)}Z"`;
  return `${text}.${digits.endsWith("000") ? digits.slice(0, 6) : digits}Z"`;
}
