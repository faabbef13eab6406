import type { Database } from "@ferry/platform/db";
import { deleteDecisions } from "./store.ts";

/** Ends are written lazily: so many at once, or after so long. */
const AT_ONCE = 200;
const AFTER_MS = 1_000;

/** Commits that have ended on all their databases, and wait for being taken out of the log. */
export class Ends {
  readonly #log: Database;
  #ids: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Database) {
    this.#log = log;
  }

  add(id: string): void {
    this.#ids.push(id);
    if (this.#ids.length >= AT_ONCE) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), AFTER_MS).unref();
  }

  /** Rows that cannot be taken out now are found by recovery a minute later. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ids = this.#ids;
    this.#ids = [];
    await deleteDecisions(this.#log, ids).catch(() => {});
  }
}
