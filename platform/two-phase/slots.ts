import { FerryError } from "@ferry/platform/errors";

/** Lets so many pieces of work run at once, and so many more wait for their turn. */
export class Slots {
  readonly #maxWaiting: number;
  readonly #queue: (() => void)[] = [];
  #free: number;
  readonly #size: number;

  constructor(size: number, maxWaiting: number) {
    this.#size = this.#free = size;
    this.#maxWaiting = maxWaiting;
  }

  get taken(): number {
    return this.#size - this.#free;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** @throws FerryError OVERLOADED when too many wait. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#turn();
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#queue.length >= this.#maxWaiting)
      throw new FerryError("OVERLOADED", "too many transactions wait for their turn", { retryAfterMs: 1_000 });
    return new Promise((resolve) => this.#queue.push(resolve));
  }
}
