const SLAB_BYTES = 1_048_576;
/** A larger copy gets memory of its own, so that the rest of a slab is not lost to it. */
const LARGEST_IN_SLAB_BYTES = 65_536;

/**
 * Copies batches into large pieces of memory, one after the other, and uses a piece again once nothing in it is kept.
 *
 * A buffer of its own for each batch costs a tenth of the broker's time, in the collection of garbage; and pieces that
 * are left to the collector wait for it by the hundred megabytes, since it counts the small objects that hold them.
 * Batches leave the cache in the order in which they came, so a piece is free soon after its first batch: at most two
 * pieces' worth more is held than the cache counts. Whoever reads a batch copies it in the same turn.
 */
export class Slabs {
  #slab: Buffer = Buffer.alloc(0);
  #at = 0;
  /** How many batches are kept in each slab, by its memory. */
  readonly #slabs = new Map<ArrayBufferLike, { slab: Buffer; kept: number }>();
  readonly #free: Buffer[] = [];

  copy(bytes: Buffer): Buffer {
    const { length } = bytes;
    if (length > LARGEST_IN_SLAB_BYTES) return Buffer.from(bytes);
    if (this.#at + length > this.#slab.length) this.#begin();
    const copy = this.#slab.subarray(this.#at, this.#at + length);
    bytes.copy(copy);
    this.#at += length;
    return copy;
  }

  /** A copy is kept until it is let go; what is not kept may be written over once its slab is full. */
  keep({ buffer }: Buffer): void {
    const found = this.#slabs.get(buffer);
    if (found !== undefined) found.kept += 1; // Otherwise it was too large for a slab.
  }

  letGo({ buffer }: Buffer): void {
    const found = this.#slabs.get(buffer);
    if (found === undefined) return;
    found.kept -= 1;
    if (found.kept === 0 && found.slab !== this.#slab) this.#free.push(found.slab);
  }

  #begin(): void {
    this.#at = 0;
    if (this.#slabs.get(this.#slab.buffer)?.kept === 0) return; // Nothing of it was kept: from its beginning again.
    const slab = this.#free.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#slabs.set(slab.buffer, { slab, kept: 0 });
    this.#slab = slab;
  }
}
