const TWO_TO_32 = 4_294_967_296;

/** Size and correlation id stand before every response; their place is kept free until `frame`. */
const FRAME_HEADER_BYTES = 8;

/**
 * Writes one response into one growing buffer.
 *
 * Batches of a fetch are copied into it too: one copy and one socket write cost less than many small writes.
 */
export class Writer {
  #buffer: Buffer;
  #at = FRAME_HEADER_BYTES;

  /** @param sizeHint bytes that the body will take, as far as known; it grows when that is too few. */
  constructor(sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(sizeHint + FRAME_HEADER_BYTES);
  }

  int8(value: number): this {
    this.#at = this.#reserve(1).writeInt8(value, this.#at);
    return this;
  }

  int16(value: number): this {
    this.#at = this.#reserve(2).writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#at = this.#reserve(4).writeInt32BE(value, this.#at);
    return this;
  }

  /** @param value an integer within plus or minus 2^53. */
  int64(value: number): this {
    const high = Math.floor(value / TWO_TO_32);
    return this.int32(high).int32((value - high * TWO_TO_32) | 0);
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const buffer = this.#reserve(2 + value.length * 3); // a UTF-16 unit is at most three bytes of UTF-8
    const length = buffer.write(value, this.#at + 2, "utf8");
    this.#at = buffer.writeInt16BE(length, this.#at) + length;
    return this;
  }

  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value);
  }

  /** Bytes without a length before them. */
  raw(value: Buffer): this {
    this.#at += value.copy(this.#reserve(value.length), this.#at);
    return this;
  }

  array<T>(items: readonly T[], writeItem: (item: T) => unknown): this {
    this.int32(items.length);
    for (const item of items) writeItem(item);
    return this;
  }

  /** The finished response with its size and correlation id. */
  frame(correlationId: number): Buffer {
    this.#buffer.writeInt32BE(this.#at - 4, 0);
    this.#buffer.writeInt32BE(correlationId, 4);
    return this.#buffer.subarray(0, this.#at);
  }

  #reserve(bytes: number): Buffer {
    const needed = this.#at + bytes;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#at);
      this.#buffer = grown;
    }
    return this.#buffer;
  }
}
