/** What stands in an array literal as it is. NULL, in any case, would be read as the null value. */
const PLAIN = /^(?!null$)[A-Za-z0-9_:.+-]+$/i;
const SPECIAL = /[\\"]/g;

function elementOf(value: unknown): string {
  switch (typeof value) {
    case "string":
      return PLAIN.test(value) ? value : `"${value.replace(SPECIAL, "\\$&")}"`;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      if (value === null || value === undefined) return "NULL";
      if (ArrayBuffer.isView(value))
        return `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}"`;
      throw new TypeError(`an array parameter cannot hold ${typeof value}`);
  }
}

/**
 * Writes an array of one dimension as PostgreSQL's array literal, as "{1,2,NULL}". The driver's own
 * way quotes and escapes each element, which costs several times as much; sets of rows go as arrays.
 *
 * Elements: strings, numbers, bigints, booleans, bytes (for bytea), null and undefined (for NULL).
 */
export function toArrayLiteral(values: readonly unknown[]): string {
  let literal = "{";
  for (let index = 0; index < values.length; index++)
    literal += index === 0 ? elementOf(values[index]) : `,${elementOf(values[index])}`;
  return `${literal}}`;
}

/** As it goes to the server: bytes in binary form, all else as text. */
export type Parameter = string | Buffer | null;

function toParameter(value: unknown): Parameter {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      if (value === null || value === undefined) return null;
      if (Array.isArray(value)) return toArrayLiteral(value);
      if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      if (value instanceof Date) return value.toISOString();
      return JSON.stringify(value);
  }
}

/** Arrays as literals, dates as timestamps of UTC, objects as JSON. @throws TypeError, RangeError for what cannot be sent. */
export function toParameters(values: readonly unknown[]): Parameter[] {
  return values.map(toParameter);
}

const TEXT_OID = 25;
/** Dimensions, flags, element type; then the dimension's length and lower bound: see array_recv of PostgreSQL. */
const HEADER_BYTES = 20;

/**
 * A text[] parameter in PostgreSQL's binary form, for long texts with many quotes, as JSON: nothing is
 * escaped here, nor unescaped there. The parameter must be cast to text[] in the statement.
 */
export function textArray(texts: readonly (string | null)[]): Buffer {
  let size = HEADER_BYTES;
  for (const text of texts) size += 4 + (text === null ? 0 : Buffer.byteLength(text));
  const array = Buffer.allocUnsafe(size);
  array.writeInt32BE(texts.length === 0 ? 0 : 1, 0);
  array.writeInt32BE(texts.includes(null) ? 1 : 0, 4);
  array.writeInt32BE(TEXT_OID, 8);
  if (texts.length === 0) return array.subarray(0, 12);
  array.writeInt32BE(texts.length, 12);
  array.writeInt32BE(1, 16);
  let at = HEADER_BYTES;
  for (const text of texts) {
    const length = text === null ? -1 : array.write(text, at + 4, "utf8");
    array.writeInt32BE(length, at);
    at += 4 + Math.max(length, 0);
  }
  return array;
}
