/** What can be written through to the disk. */
interface Flushable {
  flush(): Promise<void>;
  readonly file: string;
}

/**
 * Writes dirty files through to the disk in the background, some time after they were written to.
 *
 * An acknowledged batch has been handed to the operating system, so killing the broker loses nothing; a loss of power
 * can lose what was written within the last interval. There is a timer only while something is dirty.
 */
export class Flusher {
  readonly #intervalMs: number;
  readonly #log: (event: string, fields: Record<string, unknown>) => void;
  readonly #dirty = new Set<Flushable>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(intervalMs: number, log: (event: string, fields: Record<string, unknown>) => void) {
    this.#intervalMs = intervalMs;
    this.#log = log;
  }

  markDirty(file: Flushable): void {
    this.#dirty.add(file);
    this.#timer ??= setTimeout(() => void this.flush(), this.#intervalMs);
  }

  /** The file is about to be closed. */
  forget(file: Flushable): void {
    this.#dirty.delete(file);
  }

  /** Flushes all that is dirty now, and waits for a flush that is under way. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const files = [...this.#dirty];
    this.#dirty.clear();
    this.#running = this.#running.then(() => this.#flushAll(files));
    return this.#running;
  }

  async #flushAll(files: readonly Flushable[]): Promise<void> {
    for (const file of files) {
      try {
        await file.flush();
      } catch (error) {
        this.#log("flush failed", { file: file.file, error: String(error) });
      }
    }
  }
}
