const SLAB_BYTES = 1_048_576;
/** A larger copy gets memory of its own, so that the rest of a slab is not lost to it. */
const LARGEST_IN_SLAB_BYTES = 65_536;

/**
 * Copies batches into large pieces of memory, one after the other.
 *
 * A buffer of its own for each batch costs a tenth of the broker's time, in the collection of garbage.
 * Batches leave the cache in the order in which they came, so a slab is given
 * back soon after its first batch: at most one slab's worth more is held than the cache counts.
 */
export class Slabs {
  #slab = Buffer.alloc(0);
  #at = 0;

  copy(bytes: Buffer): Buffer {
    const { length } = bytes;
    if (length > LARGEST_IN_SLAB_BYTES) return Buffer.from(bytes);
    if (this.#at + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#at = 0;
    }
    const copy = this.#slab.subarray(this.#at, this.#at + length);
    bytes.copy(copy);
    this.#at += length;
    return copy;
  }
}
