import { crc32c } from "@ferry/platform/crc32c";
import { ErrorCode } from "./error-codes.ts";

/** Bytes before the records of a batch of format 2; nothing shorter is a batch. */
export const BATCH_HEADER_BYTES = 61;
/** Bytes before the part that the batch's length field counts. */
export const BATCH_PREFIX_BYTES = 12;

const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const COMPRESSION_BITS = 0x07;
const TRANSACTION_OR_CONTROL_BITS = 0x30;

/** What the broker needs to know of a batch; the records themselves are stored as they came. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The whole batch in bytes, prefix included. */
  readonly sizeBytes: number;
  readonly compressed: boolean;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  /** -1: not an idempotent producer. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** The size that the batch at `at` claims, in bytes, or undefined when that cannot be a batch of format 2. */
export function findBatchSize(buffer: Buffer, at: number): number | undefined {
  if (at + BATCH_HEADER_BYTES > buffer.length) return undefined;
  const sizeBytes = buffer.readInt32BE(at + 8) + BATCH_PREFIX_BYTES;
  return sizeBytes >= BATCH_HEADER_BYTES && buffer[at + MAGIC_AT] === 2 ? sizeBytes : undefined;
}

/** @param batch one whole batch of format 2, from its first byte. */
export function readBatchHeader(batch: Buffer): BatchHeader {
  const baseOffset = Number(batch.readBigInt64BE(0));
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(23),
    sizeBytes: batch.readInt32BE(8) + BATCH_PREFIX_BYTES,
    compressed: (batch.readInt16BE(21) & COMPRESSION_BITS) !== 0,
    baseTimestampMs: Number(batch.readBigInt64BE(27)),
    maxTimestampMs: Number(batch.readBigInt64BE(35)),
    producerId: Number(batch.readBigInt64BE(43)),
    producerEpoch: batch.readInt16BE(51),
    baseSequence: batch.readInt32BE(53),
    recordCount: batch.readInt32BE(57),
  };
}

export function hasValidChecksum(batch: Buffer): boolean {
  return batch.readUInt32BE(CHECKSUM_AT) === crc32c(batch, CHECKED_FROM);
}

/** Gives a batch its place in the log. Offset and leader epoch lie outside the checksum, so it stays valid. */
export function placeBatch(batch: Buffer, baseOffset: number): void {
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(0, 12);
}

/**
 * Says what is wrong with the records of one partition in a produce request, NONE when they can be appended.
 *
 * As in Apache Kafka, they must be exactly one batch of format 2. Older message sets are refused by name
 * (UNSUPPORTED_FOR_MESSAGE_FORMAT), so that an old client can say so rather than see a dropped connection.
 */
export function checkProducedBatch(records: Buffer, maxBatchBytes: number): ErrorCode {
  if (records.length > MAGIC_AT && records[MAGIC_AT]! < 2) return ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT;
  if (records.length > maxBatchBytes) return ErrorCode.MESSAGE_TOO_LARGE;
  const sizeBytes = findBatchSize(records, 0);
  if (sizeBytes === undefined || sizeBytes > records.length) return ErrorCode.CORRUPT_MESSAGE;
  if (sizeBytes < records.length) return ErrorCode.INVALID_RECORD;
  if (!hasValidChecksum(records)) return ErrorCode.CORRUPT_MESSAGE;
  const header = readBatchHeader(records);
  const counted = header.recordCount > 0 && header.lastOffset - header.baseOffset === header.recordCount - 1;
  const attributes = records.readInt16BE(21);
  if (!counted || (attributes & TRANSACTION_OR_CONTROL_BITS) !== 0) return ErrorCode.INVALID_RECORD;
  return ErrorCode.NONE;
}

/**
 * The first record of the batch that is as young as `timestampMs` or younger.
 *
 * A compressed batch is not opened: its first record stands for it, so a reader starts a little early, never late.
 */
export function findRecordByTime(batch: Buffer, timestampMs: number): { offset: number; timestampMs: number } {
  const header = readBatchHeader(batch);
  let at = BATCH_HEADER_BYTES;
  const first = { offset: header.baseOffset, timestampMs: header.baseTimestampMs };
  if (header.compressed) return first;
  for (let index = 0; index < header.recordCount; index += 1) {
    const length = readVarint(batch, at);
    if (length.value <= 0) return first; // the broker stores records unseen, so they may be nonsense
    const timestampDelta = readVarint(batch, length.next + 1); // one byte of attributes stands before it
    const offsetDelta = readVarint(batch, timestampDelta.next);
    const recordTimeMs = header.baseTimestampMs + timestampDelta.value;
    if (recordTimeMs >= timestampMs)
      return { offset: header.baseOffset + offsetDelta.value, timestampMs: recordTimeMs };
    at = length.next + length.value;
  }
  return first;
}

/** A zigzag varint of up to 64 bits, as a number. */
function readVarint(buffer: Buffer, start: number): { value: number; next: number } {
  let raw = 0n;
  let at = start;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = buffer.readUInt8(at);
    at += 1;
    raw |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { value: Number((raw >> 1n) ^ -(raw & 1n)), next: at };
}
