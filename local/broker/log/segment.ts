import fs from "node:fs";
import path from "node:path";
import { type BatchHeader, findBatchSize, hasValidChecksum, readBatchHeader } from "../protocol/record-batch.ts";
import { SparseIndex } from "./sparse-index.ts";

/** Bytes read at once when a file is scanned; a larger batch is read whole. */
const SCAN_CHUNK_BYTES = 1_048_576;
const LOOKUP_CHUNK_BYTES = 16_384;

/**
 * One file of a partition's log: batches one after the other, named by the offset of the first.
 *
 * Reads and writes are synchronous: they go to the page cache, where a round trip through the thread pool costs more
 * than the copy itself.
 */
export class Segment {
  readonly baseOffset: number;
  readonly file: string;
  readonly index = new SparseIndex();
  sizeBytes = 0;
  /** When the newest batch was stored, by the broker's clock. */
  lastAppendMs: number;
  readonly #descriptor: number;
  #closed = false;

  constructor(directory: string, baseOffset: number) {
    this.baseOffset = baseOffset;
    this.file = path.join(directory, segmentFileName(baseOffset));
    this.#descriptor = fs.openSync(this.file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    this.lastAppendMs = fs.fstatSync(this.#descriptor).mtimeMs;
  }

  /**
   * Reads the whole file once and gives every sound batch to `visit`. Whatever follows the last sound batch is the
   * torn tail of a killed process: in the newest segment it is cut off, so that appending goes on after sound data.
   *
   * @returns bytes that are not part of a sound batch.
   */
  recover(isNewest: boolean, visit: (header: BatchHeader) => void): number {
    const fileBytes = fs.fstatSync(this.#descriptor).size;
    let nextOffset = this.baseOffset;
    for (const { position, batch } of this.#batches(0, fileBytes, SCAN_CHUNK_BYTES)) {
      const header = readBatchHeader(batch);
      const inOrder = header.baseOffset >= nextOffset && header.lastOffset >= header.baseOffset;
      // Only the newest segment can be torn by a kill; checksums of the older ones are left to their readers.
      if (!inOrder || (isNewest && !hasValidChecksum(batch))) break;
      this.index.add(header.baseOffset, position, header.maxTimestampMs);
      nextOffset = header.lastOffset + 1;
      this.sizeBytes = position + batch.length;
      visit(header);
    }
    const tornBytes = fileBytes - this.sizeBytes;
    if (isNewest && tornBytes > 0) fs.ftruncateSync(this.#descriptor, this.sizeBytes);
    return tornBytes;
  }

  /** Hands the batch to the operating system; when this returns, a kill of the broker cannot lose it. */
  append(batch: Buffer, header: BatchHeader, nowMs: number): void {
    try {
      for (let written = 0; written < batch.length; ) {
        written += fs.writeSync(this.#descriptor, batch, written, batch.length - written, this.sizeBytes + written);
      }
    } catch (error) {
      fs.ftruncateSync(this.#descriptor, this.sizeBytes); // no half batch may lie under the next, shorter one
      throw error;
    }
    this.index.add(header.baseOffset, this.sizeBytes, header.maxTimestampMs);
    this.sizeBytes += batch.length;
    this.lastAppendMs = nowMs;
  }

  /**
   * Whole batches from the one that holds `offset` on, as one view of the file.
   *
   * @param maxBytes how much to return at most; the first batch is returned even when larger if `atLeastOne`.
   * @returns undefined when nothing at or after `offset` is in this segment, an empty buffer when it does not fit.
   */
  read(offset: number, maxBytes: number, atLeastOne: boolean): Buffer | undefined {
    const start = this.#find(
      this.index.positionOfOffset(offset),
      (batch) => readBatchHeader(batch).lastOffset >= offset,
    );
    if (start === undefined) return undefined;
    const first = start.batch.length;
    if (first > maxBytes && !atLeastOne) return Buffer.alloc(0);
    const bytes = this.#pread(start.position, Math.min(Math.max(maxBytes, first), this.sizeBytes - start.position));
    let end = first;
    for (let size = findBatchSize(bytes, end); size !== undefined; size = findBatchSize(bytes, end)) {
      if (end + size > bytes.length) break;
      end += size;
    }
    return bytes.subarray(0, end);
  }

  /** The first batch with a record as young as `timestampMs` or younger. */
  findBatchByTime(timestampMs: number): Buffer | undefined {
    const from = this.index.positionOfTime(timestampMs);
    return this.#find(from, (batch) => readBatchHeader(batch).maxTimestampMs >= timestampMs)?.batch;
  }

  /** Makes what was appended survive a loss of power, too. */
  flush(): Promise<void> {
    if (this.#closed) return Promise.resolve(); // deleted by retention while it waited for its turn
    return new Promise((resolve, reject) => {
      fs.fsync(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    this.#closed = true;
    fs.closeSync(this.#descriptor);
  }

  #find(from: number, matches: (batch: Buffer) => boolean): { position: number; batch: Buffer } | undefined {
    for (const found of this.#batches(from, this.sizeBytes, LOOKUP_CHUNK_BYTES)) {
      if (matches(found.batch)) return found;
    }
    return undefined;
  }

  /** Ends without an error where the bytes stop being whole batches. */
  *#batches(from: number, to: number, chunkBytes: number): Generator<{ position: number; batch: Buffer }> {
    let position = from;
    let wantedBytes = chunkBytes;
    while (position < to) {
      const askedBytes = Math.min(wantedBytes, to - position);
      const chunk = this.#pread(position, askedBytes);
      let at = 0;
      let beyondChunk = 0;
      for (let size = findBatchSize(chunk, at); size !== undefined; size = findBatchSize(chunk, at)) {
        if (at + size > chunk.length) {
          beyondChunk = size;
          break;
        }
        yield { position: position + at, batch: chunk.subarray(at, at + size) };
        at += size;
      }
      position += at;
      const claimsTooMuch = beyondChunk > 0 && position + beyondChunk > to;
      const nothingBegins = at === 0 && beyondChunk <= askedBytes;
      if (claimsTooMuch || nothingBegins || chunk.length < askedBytes) return;
      wantedBytes = Math.max(chunkBytes, beyondChunk);
    }
  }

  #pread(position: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = fs.readSync(this.#descriptor, buffer, filled, length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }
}

export function segmentFileName(baseOffset: number): string {
  return `${String(baseOffset).padStart(20, "0")}.log`;
}

/** Base offsets of the segments in a partition's directory, oldest first. */
export function listSegments(directory: string): number[] {
  const names = fs.readdirSync(directory).filter((name) => /^\d{20}\.log$/.test(name));
  return names.map((name) => Number(name.slice(0, 20))).sort((left, right) => left - right);
}
