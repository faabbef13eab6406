/** Each power of two is cut into so many buckets: a percentile is at most 0.8 % too high. */
const BUCKETS_PER_OCTAVE = 128;
const SMALLEST_MS = 0.01;
/** From 10 µs to 2 hours, whatever comes: 30 powers of two, 15 KiB. */
const OCTAVES = 30;
const ONE_SECOND_MS = 1_000;

/** Counts durations in buckets of equal relative width, so that memory does not grow with the number of them. */
export class Histogram {
  readonly #counts = new Uint32Array(OCTAVES * BUCKETS_PER_OCTAVE);
  #count = 0;
  #overOneSecond = 0;

  get count(): number {
    return this.#count;
  }

  /** How many took longer than a second; exact. */
  get overOneSecond(): number {
    return this.#overOneSecond;
  }

  add(ms: number): void {
    const octaves = Math.log2(Math.max(ms, SMALLEST_MS) / SMALLEST_MS);
    const bucket = Math.min(Math.floor(octaves * BUCKETS_PER_OCTAVE), this.#counts.length - 1);
    this.#counts[bucket]!++;
    this.#count++;
    if (ms > ONE_SECOND_MS) this.#overOneSecond++;
  }

  /**
   * The duration that so large a share did not exceed, in milliseconds: the upper end of its bucket.
   *
   * @param share 0 to 1. @returns 0 when nothing was counted.
   */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank && this.#count > 0) return SMALLEST_MS * 2 ** ((bucket + 1) / BUCKETS_PER_OCTAVE);
    }
    return 0;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#overOneSecond = 0;
  }
}
