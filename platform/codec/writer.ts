/** Room that every value leaves behind it for the tag that may follow, so that tags need no check of their own. */
const SLACK_BYTES = 16;
const INITIAL_BYTES = 64 * 1024;
/** A writer that has grown above this for one large message gives the memory back. */
const KEPT_BYTES = 1024 * 1024;
/** Up to this many characters a loop is faster than the call into native code (measured: 6 to 30 ns against 25). */
const SHORT_TEXT = 10;
/** Up to this many characters, room is made for the most that they can take instead of counting. */
const UNCOUNTED_TEXT = 4096;
const MAX_FLOAT = 3.4028234663852886e38;

/** What Buffer offers beyond its documentation: UTF-8 without the checks of `write`. */
type NativeBuffer = Buffer & { utf8Write(text: string, offset: number): number };

const scratch = new DataView(new ArrayBuffer(8));

function refuse(kind: string, value: unknown): never {
  throw new TypeError(`not a value of type ${kind}: ${typeof value}`);
}

function widthOf(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
}

/**
 * Writes the values of the wire format into one growing buffer that is used again for every message.
 *
 * A value of another type than its field's is refused by a TypeError; what protobuf-es would make of
 * it is for protobuf-es to say.
 */
export class Writer {
  private bytes = Buffer.allocUnsafe(INITIAL_BYTES) as NativeBuffer;
  private position = 0;

  begin(): void {
    this.position = 0;
  }

  /** What was written, in memory of its own. */
  finish(): Buffer {
    const { bytes, position } = this;
    const result = Buffer.allocUnsafe(position);
    bytes.copy(result, 0, 0, position);
    if (bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafe(INITIAL_BYTES) as NativeBuffer;
    return result;
  }

  private reserve(count: number): void {
    const needed = this.position + count + SLACK_BYTES;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2)) as NativeBuffer;
    this.bytes.copy(larger, 0, 0, this.position);
    this.bytes = larger;
  }

  private varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.position++] = rest;
  }

  private varint64(low: number, high: number): void {
    let lower = low >>> 0;
    let upper = high >>> 0;
    while (upper !== 0) {
      this.bytes[this.position++] = (lower & 0x7f) | 0x80;
      lower = ((lower >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    this.varint(lower);
  }

  /** A field number and wire type, joined as on the wire. A value must follow: it is what makes room. */
  tag(tag: number): void {
    if (tag < 0x80) this.bytes[this.position++] = tag;
    else this.varint(tag);
  }

  /** Begins a length-delimited part. @returns what `close` wants. */
  open(): number {
    this.reserve(1);
    this.position++;
    return this.position;
  }

  /** Ends the part: one byte was left for its length, and a longer one moves the part. */
  close(start: number): void {
    const length = this.position - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    const extra = widthOf(length) - 1;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, this.position);
    this.position = start - 1;
    this.varint(length);
    this.position += length;
  }

  string(value: unknown): void {
    if (typeof value !== "string") refuse("string", value);
    const { length } = value;
    this.reserve((length <= UNCOUNTED_TEXT ? length * 3 : Buffer.byteLength(value)) + 5);
    if (length <= SHORT_TEXT && this.ascii(value)) return;
    let width = widthOf(length);
    let written = this.bytes.utf8Write(value, this.position + width);
    if (widthOf(written) !== width) {
      width = widthOf(written);
      written = this.bytes.utf8Write(value, this.position + width);
    }
    this.varint(written);
    this.position += written;
  }

  /** Writes a short text with its length; false, and nothing is written, when it is not ASCII. */
  private ascii(value: string): boolean {
    const { bytes } = this;
    let position = this.position;
    bytes[position++] = value.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[position++] = code;
    }
    this.position = position;
    return true;
  }

  bytesOf(value: unknown): void {
    if (!(value instanceof Uint8Array)) refuse("bytes", value);
    this.reserve(value.length + 5);
    this.varint(value.length);
    this.bytes.set(value, this.position);
    this.position += value.length;
  }

  /** Whether bytes are other than empty. */
  hasBytes(value: unknown): boolean {
    if (!(value instanceof Uint8Array)) refuse("bytes", value);
    return value.length > 0;
  }

  bool(value: unknown): void {
    if (typeof value !== "boolean") refuse("bool", value);
    this.reserve(1);
    this.bytes[this.position++] = value ? 1 : 0;
  }

  int32(value: unknown): void {
    if (typeof value !== "number" || (value | 0) !== value) refuse("int32", value);
    this.reserve(10);
    if (value >= 0) this.varint(value);
    else this.varint64(value, -1);
  }

  uint32(value: unknown): void {
    if (typeof value !== "number" || value >>> 0 !== value) refuse("uint32", value);
    this.reserve(5);
    this.varint(value);
  }

  sint32(value: unknown): void {
    if (typeof value !== "number" || (value | 0) !== value) refuse("sint32", value);
    this.reserve(5);
    this.varint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  int64(value: unknown): void {
    this.scratchSigned(value);
    this.reserve(10);
    this.varint64(scratch.getInt32(0, true), scratch.getInt32(4, true));
  }

  uint64(value: unknown): void {
    this.scratchUnsigned(value);
    this.reserve(10);
    this.varint64(scratch.getInt32(0, true), scratch.getInt32(4, true));
  }

  sint64(value: unknown): void {
    this.scratchSigned(value);
    this.reserve(10);
    const low = scratch.getInt32(0, true);
    const high = scratch.getInt32(4, true);
    const sign = high >> 31;
    this.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
  }

  fixed32(value: unknown): void {
    if (typeof value !== "number" || value >>> 0 !== value) refuse("fixed32", value);
    scratch.setUint32(0, value, true);
    this.copyScratch(4);
  }

  sfixed32(value: unknown): void {
    if (typeof value !== "number" || (value | 0) !== value) refuse("sfixed32", value);
    scratch.setInt32(0, value, true);
    this.copyScratch(4);
  }

  fixed64(value: unknown): void {
    this.scratchUnsigned(value);
    this.copyScratch(8);
  }

  sfixed64(value: unknown): void {
    this.scratchSigned(value);
    this.copyScratch(8);
  }

  float(value: unknown): void {
    if (typeof value !== "number" || (Number.isFinite(value) && Math.abs(value) > MAX_FLOAT)) refuse("float", value);
    scratch.setFloat32(0, value, true);
    this.copyScratch(4);
  }

  double(value: unknown): void {
    if (typeof value !== "number") refuse("double", value);
    scratch.setFloat64(0, value, true);
    this.copyScratch(8);
  }

  /** A field that the contract of the time of building did not know, as it came. */
  raw(bytes: unknown): void {
    if (!(bytes instanceof Uint8Array)) refuse("bytes", bytes);
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.position);
    this.position += bytes.length;
  }

  private scratchSigned(value: unknown): void {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) refuse("int64", value);
    scratch.setBigInt64(0, value, true);
  }

  private scratchUnsigned(value: unknown): void {
    if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) refuse("uint64", value);
    scratch.setBigUint64(0, value, true);
  }

  private copyScratch(count: number): void {
    this.reserve(count);
    for (let index = 0; index < count; index++) this.bytes[this.position++] = scratch.getUint8(index);
  }
}
