import fs from "node:fs";
import path from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";

/** Ids taken from the file at once; those of a block that were not given out before a restart are skipped. */
const BLOCK_SIZE = 1000;

/** Gives every idempotent producer an id of its own, never one that was given before, also after a restart. */
export class ProducerIds {
  readonly #file: string;
  #next: number;
  #reservedTo: number;

  constructor(directory: string) {
    this.#file = path.join(directory, "producer-ids.json");
    this.#next = fs.existsSync(this.#file) ? readReserved(this.#file) : 1;
    this.#reservedTo = this.#next;
  }

  take(): number {
    if (this.#next === this.#reservedTo) {
      this.#reservedTo += BLOCK_SIZE;
      writeFileAtomically(this.#file, `${JSON.stringify({ reservedTo: this.#reservedTo })}\n`);
    }
    const id = this.#next;
    this.#next += 1;
    return id;
  }
}

function readReserved(file: string): number {
  const { reservedTo } = JSON.parse(fs.readFileSync(file, "utf8")) as { reservedTo?: unknown };
  if (typeof reservedTo === "number" && Number.isSafeInteger(reservedTo) && reservedTo > 0) return reservedTo;
  throw new Error(`${file}: reservedTo must be a positive integer`);
}
