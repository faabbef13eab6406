import fs from "node:fs";
import { ErrorCode } from "../protocol/error-codes.ts";
import { checkProducedBatch, findRecordByTime, placeBatch, readBatchHeader } from "../protocol/record-batch.ts";
import type { Flusher } from "./flusher.ts";
import { Producers } from "./producers.ts";
import { listSegments, Segment } from "./segment.ts";
import { Tail, type TailCache } from "./tail-cache.ts";

/** What a partition may keep, and for how long; a topic's own configuration comes before the broker's. */
export interface LogLimits {
  /** A segment is closed, and the next begun, at this size. */
  segmentBytes: number;
  /** Segments whose newest batch was stored longer ago are deleted; -1 keeps them. */
  retentionMs: number;
  /** The oldest segments beyond this size are deleted; -1 keeps them. */
  retentionBytes: number;
  /** A larger batch is refused with MESSAGE_TOO_LARGE. */
  maxBatchBytes: number;
}

/** What all logs of a broker share. */
export interface LogRoom {
  readonly cache: TailCache;
  readonly flusher: Flusher;
  readonly maxProducersPerPartition: number;
  readonly log: (event: string, fields: Record<string, unknown>) => void;
}

export interface AppendResult {
  readonly error: ErrorCode;
  /** Offset of the first record, -1 when refused. */
  readonly baseOffset: number;
}

/** The log of one partition: an ordered list of segments, the newest of which grows. */
export class PartitionLog {
  /** Called with the size in bytes of each batch that was appended. */
  readonly listeners = new Set<(bytes: number) => void>();
  /** The offset that the next record gets: the high watermark, as there is one replica. */
  endOffset: number;
  readonly #directory: string;
  readonly #limits: LogLimits;
  readonly #room: LogRoom;
  readonly #segments: Segment[] = [];
  readonly #producers: Producers;
  readonly #tail = new Tail();

  /** Opens the log in `directory`, makes it where there is none, and cuts off a torn tail. */
  constructor(directory: string, limits: LogLimits, room: LogRoom) {
    this.#directory = directory;
    this.#limits = limits;
    this.#room = room;
    this.#producers = new Producers(room.maxProducersPerPartition);
    fs.mkdirSync(directory, { recursive: true });
    const found = listSegments(directory);
    const bases = found.length > 0 ? found : [0];
    this.endOffset = bases[0]!;
    for (const base of bases) this.#open(base, base === bases.at(-1));
  }

  /** The oldest offset that is still there. */
  get startOffset(): number {
    return this.#segments[0]!.baseOffset;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /** Stores the one batch that a produce request holds for this partition. It is copied, not kept. */
  append(records: Buffer): AppendResult {
    const error = checkProducedBatch(records, this.#limits.maxBatchBytes);
    if (error !== ErrorCode.NONE) return { error, baseOffset: -1 };
    const batch = this.#room.cache.copy(records); // or the cache would hold on to all of the request around it
    placeBatch(batch, this.endOffset);
    const header = readBatchHeader(batch);
    const decision = this.#producers.decide(header);
    if (decision.kind === "duplicate") return { error: ErrorCode.NONE, baseOffset: decision.baseOffset };
    if (decision.kind === "refused") return { error: decision.error, baseOffset: -1 };
    try {
      const segment = this.#segmentFor(batch.length);
      segment.append(batch, header, Date.now());
      this.#room.flusher.markDirty(segment);
    } catch (error) {
      this.#room.log("append failed", { directory: this.#directory, error: String(error) });
      return { error: ErrorCode.KAFKA_STORAGE_ERROR, baseOffset: -1 };
    }
    this.#producers.record(header);
    this.endOffset = header.lastOffset + 1;
    this.#room.cache.add(this.#tail, header.baseOffset, header.lastOffset, batch);
    for (const listener of this.listeners) listener(batch.length);
    return { error: ErrorCode.NONE, baseOffset: header.baseOffset };
  }

  /**
   * Adds whole batches, from the one that holds `offset`, to `into`.
   *
   * @param offset between `startOffset` and `endOffset`.
   * @param atLeastOne return the first batch even when it is larger than `maxBytes`.
   * @returns the bytes added.
   */
  read(offset: number, maxBytes: number, atLeastOne: boolean, into: Buffer[]): number {
    if (offset >= this.endOffset) return 0;
    if (offset >= this.#tail.firstOffset) return this.#tail.read(offset, maxBytes, atLeastOne, into);
    const holding = this.#segments.findLastIndex((segment) => segment.baseOffset <= offset);
    for (const segment of this.#segments.slice(Math.max(holding, 0))) {
      const bytes = segment.read(offset, maxBytes, atLeastOne);
      if (bytes === undefined) continue; // offsets end here, before the next segment begins
      if (bytes.length > 0) into.push(bytes);
      return bytes.length;
    }
    return 0;
  }

  /** The first record as young as `timestampMs` or younger. */
  findByTime(timestampMs: number): { offset: number; timestampMs: number } | undefined {
    const segment = this.#segments.find((candidate) => candidate.index.youngestMs >= timestampMs);
    const batch = segment?.findBatchByTime(timestampMs);
    return batch === undefined ? undefined : findRecordByTime(batch, timestampMs);
  }

  /** Deletes whole segments that are too old, or the oldest ones where the log is too large. */
  retain(nowMs: number): void {
    const { retentionMs, retentionBytes } = this.#limits;
    let excessBytes = retentionBytes < 0 ? Number.NEGATIVE_INFINITY : this.sizeBytes - retentionBytes;
    for (let oldest = this.#segments[0]!; oldest.sizeBytes > 0; oldest = this.#segments[0]!) {
      const expired = retentionMs >= 0 && oldest.lastAppendMs < nowMs - retentionMs;
      if (!expired && excessBytes < oldest.sizeBytes) return;
      if (this.#segments.length === 1) this.#roll();
      excessBytes -= oldest.sizeBytes;
      this.#segments.shift();
      this.#discard(oldest);
      fs.rmSync(oldest.file, { force: true });
      this.#room.log("segment deleted", { file: oldest.file, reason: expired ? "age" : "size" });
    }
  }

  close(): void {
    for (const segment of this.#segments) this.#discard(segment);
  }

  #open(baseOffset: number, isNewest: boolean): void {
    const segment = new Segment(this.#directory, baseOffset);
    const tornBytes = segment.recover(isNewest, (header) => {
      this.#producers.record(header);
      this.endOffset = header.lastOffset + 1;
    });
    this.endOffset = Math.max(this.endOffset, baseOffset);
    if (tornBytes > 0) {
      this.#room.log(isNewest ? "torn tail cut off" : "unreadable end of a segment", { file: segment.file, tornBytes });
    }
    this.#segments.push(segment);
  }

  #segmentFor(batchBytes: number): Segment {
    const newest = this.#segments.at(-1)!;
    const full = newest.sizeBytes > 0 && newest.sizeBytes + batchBytes > this.#limits.segmentBytes;
    return full ? this.#roll() : newest;
  }

  #roll(): Segment {
    const segment = new Segment(this.#directory, this.endOffset);
    this.#segments.push(segment);
    return segment;
  }

  #discard(segment: Segment): void {
    this.#room.flusher.forget(segment);
    segment.close();
  }
}
