import { ProtocolError } from "./error-codes.ts";

const TWO_TO_32 = 4_294_967_296;

/**
 * Reads the primitive types of the Kafka protocol (versions before the flexible ones), in order.
 *
 * Every length is checked against what is left, so malformed bytes throw `ProtocolError` or `RangeError` and never
 * allocate more than the request itself holds. 64-bit integers are read as numbers: offsets, timestamps and the
 * producer ids of this broker all stay below 2^53.
 */
export class Reader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.#at = at;
  }

  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  int8(): number {
    const value = this.#buffer.readInt8(this.#at);
    this.#at += 1;
    return value;
  }

  int16(): number {
    const value = this.#buffer.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  int32(): number {
    const value = this.#buffer.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  int64(): number {
    return this.int32() * TWO_TO_32 + (this.int32() >>> 0);
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  nullableString(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    return this.#take(length).toString("utf8");
  }

  string(): string {
    const value = this.nullableString();
    if (value === null) throw new ProtocolError("a string that must be present is null");
    return value;
  }

  /** The bytes are a view of the request, not a copy. */
  nullableBytes(): Buffer | null {
    const length = this.int32();
    if (length < 0) return null;
    return this.#take(length);
  }

  bytes(): Buffer {
    const value = this.nullableBytes();
    if (value === null) throw new ProtocolError("a byte field that must be present is null");
    return value;
  }

  nullableArray<T>(readItem: () => T): T[] | null {
    const count = this.int32();
    if (count < 0) return null;
    if (count > this.remaining) throw new ProtocolError(`an array of ${count} items in ${this.remaining} bytes`);
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(readItem());
    return items;
  }

  array<T>(readItem: () => T): T[] {
    return this.nullableArray(readItem) ?? [];
  }

  #take(length: number): Buffer {
    if (length > this.remaining) throw new ProtocolError(`a field of ${length} bytes in ${this.remaining} bytes`);
    const view = this.#buffer.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }
}
