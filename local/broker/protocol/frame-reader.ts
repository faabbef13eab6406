import { ProtocolError } from "./error-codes.ts";

const SIZE_BYTES = 4;
/** Key, version, correlation id and the length of the client's id. */
const SMALLEST_REQUEST_BYTES = 10;

/** Cuts the stream of a connection into requests: each is its size in four bytes, then so many bytes. */
export class FrameReader {
  readonly #maxRequestBytes: number;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;

  constructor(maxRequestBytes: number) {
    this.#maxRequestBytes = maxRequestBytes;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
  }

  /**
   * The next whole request without its size, or undefined until it is there.
   *
   * @throws ProtocolError when the size cannot be that of a request: this is another protocol, or too large.
   */
  next(): Buffer | undefined {
    if (this.#bufferedBytes < SIZE_BYTES) return undefined;
    const size = this.#join(SIZE_BYTES).readInt32BE(0);
    if (size < SMALLEST_REQUEST_BYTES || size > this.#maxRequestBytes) {
      throw new ProtocolError(`a request of ${size} bytes; at most ${this.#maxRequestBytes} are taken`);
    }
    if (this.#bufferedBytes < SIZE_BYTES + size) return undefined;
    const first = this.#join(SIZE_BYTES + size);
    const rest = first.subarray(SIZE_BYTES + size);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#bufferedBytes -= SIZE_BYTES + size;
    return first.subarray(SIZE_BYTES, SIZE_BYTES + size);
  }

  /** Makes the first chunk hold at least so many bytes; the chunks of a large request are put together only once. */
  #join(bytes: number): Buffer {
    let length = 0;
    let count = 0;
    for (; length < bytes; count += 1) length += this.#chunks[count]!.length;
    if (count > 1) this.#chunks.splice(0, count, Buffer.concat(this.#chunks.slice(0, count)));
    return this.#chunks[0]!;
  }
}
