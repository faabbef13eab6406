import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { FerryError, type Reason } from "@ferry/platform/errors";

const PREFIX_BYTES = 5;

/** A packed message that cannot be unpacked: whose fault it is depends on who reads it. */
export class BadFrame extends Error {
  override readonly name = "BadFrame";
  /** With what a server refuses it (grpc/doc/compression.md). */
  readonly refusal: Reason;

  constructor(message: string, refusal: Reason, cause?: unknown) {
    super(message, { cause });
    this.refusal = refusal;
  }
}

/** One message as it is sent: not compressed, its length before it. */
export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** Takes a stream's bytes as they come, and finds the messages in them. */
export class FrameReader {
  /** What was found and not taken yet, each with its prefix, for `unframe`. */
  readonly frames: Buffer[] = [];
  private readonly maxBytes: number;
  private chunks: Buffer[] = [];
  private size = 0;
  private needed = PREFIX_BYTES;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Whether the bytes end in the middle of a message. */
  get isTorn(): boolean {
    return this.size > 0;
  }

  /** @throws FerryError BODY_TOO_LARGE for a message above the limit, as soon as its length has come. */
  add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    while (this.size >= this.needed) {
      const bytes = this.join();
      const length = bytes.readUInt32BE(1);
      if (length > this.maxBytes) throw tooLarge(this.maxBytes);
      this.needed = PREFIX_BYTES + length;
      if (this.size < this.needed) return;
      this.frames.push(bytes.subarray(0, this.needed));
      this.size -= this.needed;
      this.chunks = this.size === 0 ? [] : [bytes.subarray(this.needed)];
      this.needed = PREFIX_BYTES;
    }
  }

  private join(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.size)];
    return this.chunks[0]!;
  }
}

/**
 * The message in a frame.
 *
 * @param encoding What "grpc-encoding" says.
 * @returns A promise, which rejects with BadFrame or FerryError BODY_TOO_LARGE, only where it has to be unpacked.
 */
export function unframe(
  frame: Buffer,
  encoding: string | string[] | undefined,
  maxBytes: number,
): Uint8Array | Promise<Uint8Array> {
  const message = frame.subarray(PREFIX_BYTES);
  return frame[0] === 0 ? message : unpack(message, String(encoding ?? "identity"), maxBytes);
}

const unpackers: Readonly<Record<string, (packed: Uint8Array, options: object) => Promise<Buffer>>> = {
  gzip: promisify(gunzip) as never,
  deflate: promisify(inflate) as never,
};
const encodings = ["identity", ...Object.keys(unpackers)];
/** What messages may be packed with. */
export const ACCEPTED_ENCODINGS = encodings.join(",");

/** Whether messages of a stream with this "grpc-encoding" can be read. */
export function isAccepted(encoding: string | string[] | undefined): boolean {
  return encoding === undefined || encodings.includes(String(encoding));
}

async function unpack(message: Uint8Array, encoding: string, maxBytes: number): Promise<Uint8Array> {
  if (encoding === "identity") throw new BadFrame("the message is packed, and nothing says how", "INTERNAL");
  const unpacker = Object.hasOwn(unpackers, encoding) ? unpackers[encoding] : undefined;
  if (unpacker === undefined) throw new BadFrame(`the message is packed with ${encoding}`, "UNIMPLEMENTED");
  try {
    return await unpacker(message, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    throw new BadFrame("the message cannot be unpacked", "INVALID_REQUEST", error);
  }
}

function tooLarge(maxBytes: number): FerryError {
  return new FerryError("BODY_TOO_LARGE", `the message is larger than ${maxBytes} bytes`);
}
