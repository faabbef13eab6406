import { crc32c } from "@ferry/platform/crc32c";
import { BATCH_HEADER_BYTES } from "../protocol/record-batch.ts";

export interface BatchOptions {
  readonly values?: readonly string[];
  readonly timestampMs?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
}

/** A batch as a producer sends it: offsets from 0, one millisecond between its records. For tests. */
export function buildBatch(options: BatchOptions = {}): Buffer {
  const { values = ["value"], timestampMs = 1_000, producerId = -1, producerEpoch = 0, baseSequence = -1 } = options;
  const records = values.map((value, index) => buildRecord(value, index));
  const batch = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), ...records]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch[16] = 2;
  batch.writeInt32BE(values.length - 1, 23);
  batch.writeBigInt64BE(BigInt(timestampMs), 27);
  batch.writeBigInt64BE(BigInt(timestampMs + values.length - 1), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(baseSequence, 53);
  batch.writeInt32BE(values.length, 57);
  return sealBatch(batch);
}

/** Writes the checksum anew after a change. */
export function sealBatch(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

function buildRecord(value: string, index: number): Buffer {
  const bytes = Buffer.from(value);
  const body = Buffer.concat([
    Buffer.from([0]), // attributes
    varint(index), // milliseconds after the batch's first record
    varint(index), // offset after the batch's first record
    varint(-1), // no key
    varint(bytes.length),
    bytes,
    varint(0), // no headers
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
