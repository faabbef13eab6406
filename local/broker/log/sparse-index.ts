/** One entry for about so many bytes of log: a lookup reads at most this much, and one batch, beyond its place. */
const BYTES_PER_ENTRY = 65_536;

/**
 * Where in a segment an offset or a time begins, held in memory and rebuilt by the scan at start.
 *
 * An entry is 24 bytes for 64 KB of log: 25 KB for a full segment of 64 MB.
 */
export class SparseIndex {
  #offsets = new Float64Array(16);
  #positions = new Float64Array(16);
  /** The youngest record before the entry's batch, -Infinity for the first. */
  #youngestBefore = new Float64Array(16);
  #count = 0;
  #youngestMs = Number.NEGATIVE_INFINITY;

  /** Timestamp of the youngest record, -Infinity when there is none. */
  get youngestMs(): number {
    return this.#youngestMs;
  }

  /** Batches are added in the order of the log. */
  add(baseOffset: number, position: number, maxTimestampMs: number): void {
    if (this.#count === 0 || position - this.#positions[this.#count - 1]! >= BYTES_PER_ENTRY) {
      if (this.#count === this.#offsets.length) this.#grow();
      this.#offsets[this.#count] = baseOffset;
      this.#positions[this.#count] = position;
      this.#youngestBefore[this.#count] = this.#youngestMs;
      this.#count += 1;
    }
    if (maxTimestampMs > this.#youngestMs) this.#youngestMs = maxTimestampMs;
  }

  /** A position at or before the batch that holds `offset`. */
  positionOfOffset(offset: number): number {
    return this.#lastPosition((entry) => this.#offsets[entry]! <= offset);
  }

  /** A position at or before the first batch with a record as young as `timestampMs`. */
  positionOfTime(timestampMs: number): number {
    return this.#lastPosition((entry) => this.#youngestBefore[entry]! < timestampMs);
  }

  #lastPosition(holds: (entry: number) => boolean): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(middle)) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#positions[low - 1]!;
  }

  #grow(): void {
    const grow = (old: Float64Array) => {
      const grown = new Float64Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.#offsets = grow(this.#offsets);
    this.#positions = grow(this.#positions);
    this.#youngestBefore = grow(this.#youngestBefore);
  }
}
