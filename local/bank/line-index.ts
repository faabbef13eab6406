import { hash } from "node:crypto";

/** A slot holds 64 bits of the reference's digest and the line, counted from 1; line 0 means that the slot is free. */
const WORDS = 3;
const FIRST_SLOTS = 1 << 20;

/**
 * Which line of the file holds a reference: twelve bytes a slot, where a map of texts takes a hundred,
 * and all of them asked for at once, so that the bank's memory stays what it is for the first 786,000 records.
 *
 * Two references with the same 64 bits would be taken for one; whoever reads the line sees which it is.
 */
export class LineIndex {
  #slots: number;
  #table: Uint32Array;
  #size = 0;

  /** @param slots A power of two. */
  constructor(slots = FIRST_SLOTS) {
    this.#slots = slots;
    this.#table = new Uint32Array(slots * WORDS);
  }

  get(reference: string): number | undefined {
    const [high, low] = digestOf(reference);
    const line = this.#table[this.#find(high, low) + 2]!;
    return line === 0 ? undefined : line - 1;
  }

  set(reference: string, line: number): void {
    if (this.#size >= this.#slots * 0.75) this.#grow();
    const [high, low] = digestOf(reference);
    const at = this.#find(high, low);
    if (this.#table[at + 2] === 0) this.#size++;
    this.#put(at, high, low, line + 1);
  }

  /** Where the digest stands, or the free slot that it would take. */
  #find(high: number, low: number): number {
    for (let slot = high & (this.#slots - 1); ; slot = (slot + 1) & (this.#slots - 1)) {
      const at = slot * WORDS;
      const taken = this.#table[at + 2] !== 0;
      if (!taken || (this.#table[at] === high && this.#table[at + 1] === low)) return at;
    }
  }

  #put(at: number, high: number, low: number, line: number): void {
    this.#table[at] = high;
    this.#table[at + 1] = low;
    this.#table[at + 2] = line;
  }

  #grow(): void {
    const full = this.#table;
    this.#slots *= 2;
    this.#table = new Uint32Array(this.#slots * WORDS);
    for (let at = 0; at < full.length; at += WORDS) {
      const [high, low, line] = [full[at]!, full[at + 1]!, full[at + 2]!];
      if (line !== 0) this.#put(this.#find(high, low), high, low, line);
    }
  }
}

function digestOf(reference: string): [high: number, low: number] {
  const digest = hash("sha1", reference, "buffer");
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}
