import { Slabs } from "./slabs.ts";

/** Empty places at the front of a list are given back when there are so many of them. */
const COMPACT_AFTER = 1024;

interface CachedBatch {
  readonly lastOffset: number;
  readonly batch: Buffer;
}

/** The newest batches of one partition, oldest first and without a gap up to the log's end. */
export class Tail {
  #batches: CachedBatch[] = [];
  #start = 0;
  /** Offsets from here to the log's end are in memory; Infinity when none is. */
  firstOffset = Number.POSITIVE_INFINITY;

  push(firstOffset: number, lastOffset: number, batch: Buffer): void {
    if (this.firstOffset === Number.POSITIVE_INFINITY) this.firstOffset = firstOffset;
    this.#batches.push({ lastOffset, batch });
  }

  /** @returns what was dropped. */
  dropOldest(): Buffer | undefined {
    const dropped = this.#batches[this.#start];
    if (dropped === undefined) return undefined;
    this.#start += 1;
    this.firstOffset = this.#start === this.#batches.length ? Number.POSITIVE_INFINITY : dropped.lastOffset + 1;
    if (this.#start >= COMPACT_AFTER && this.#start * 2 >= this.#batches.length) {
      this.#batches = this.#batches.slice(this.#start);
      this.#start = 0;
    }
    return dropped.batch;
  }

  /** Adds whole batches from the one that holds `offset` to `into`, within `maxBytes` but for the first. */
  read(offset: number, maxBytes: number, atLeastOne: boolean, into: Buffer[]): number {
    let low = this.#start;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#batches[middle]!.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    let bytes = 0;
    for (let at = low; at < this.#batches.length; at += 1) {
      const { batch } = this.#batches[at]!;
      if (bytes + batch.length > maxBytes && !(atLeastOne && bytes === 0)) break;
      into.push(batch);
      bytes += batch.length;
    }
    return bytes;
  }
}

/**
 * Bounds the bytes that all tails hold together: consumers mostly read what has just been written, so that much is
 * kept in memory and the rest is read from the files.
 */
export class TailCache {
  readonly #maxBytes: number;
  /** One entry for each cached batch, in the order of arrival over all partitions. */
  #arrivals: Tail[] = [];
  #start = 0;
  #bytes = 0;
  readonly #slabs = new Slabs();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A copy of a batch that is about to be added, before another is copied. */
  copy(batch: Buffer): Buffer {
    return this.#slabs.copy(batch);
  }

  add(tail: Tail, firstOffset: number, lastOffset: number, batch: Buffer): void {
    tail.push(firstOffset, lastOffset, batch);
    this.#arrivals.push(tail);
    this.#bytes += batch.length;
    this.#slabs.keep(batch);
    while (this.#bytes > this.#maxBytes) {
      const dropped = this.#arrivals[this.#start]!.dropOldest();
      this.#start += 1;
      if (dropped === undefined) continue;
      this.#bytes -= dropped.length;
      this.#slabs.letGo(dropped);
    }
    if (this.#start >= COMPACT_AFTER && this.#start * 2 >= this.#arrivals.length) {
      this.#arrivals = this.#arrivals.slice(this.#start);
      this.#start = 0;
    }
  }
}
