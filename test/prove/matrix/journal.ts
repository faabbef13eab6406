import { createWriteStream, fdatasync, openSync, type WriteStream } from "node:fs";
import { promisify } from "node:util";
import type { Operation } from "./operations.ts";

const sync = promisify(fdatasync);

/** What a client knows of an operation of its own. */
export interface Entry {
  operation: Operation;
  /** How often it was sent, or sent again. */
  sent: number;
  /** Id that the platform answered with; undefined as long as it has promised nothing. */
  id?: string;
  /** Whether it was refused for good: nothing is recorded then. */
  refused?: string;
  /** What came of taking it back: undefined also when nobody answered. */
  cancel?: "taken back" | "too late";
}

/**
 * The clients' own record of what they asked for and what they were promised. An intent is on the disk before
 * its request leaves, so that whatever the platform has is explained by it.
 */
export class Journal {
  readonly entries = new Map<string, Entry>();
  readonly #file: number;
  readonly #stream: WriteStream;
  #waiting: (() => void)[] = [];
  #syncing = false;

  constructor(path: string) {
    this.#file = openSync(path, "a");
    this.#stream = createWriteStream(path, { fd: this.#file, autoClose: true });
  }

  /** Resolves when the intent is on the disk. Intents that come at once share one sync. */
  async intend(operation: Operation): Promise<Entry> {
    const entry: Entry = { operation, sent: 0 };
    this.entries.set(operation.key, entry);
    await new Promise<void>((written, failed) =>
      this.#stream.write(`${JSON.stringify(operation)}\n`, (error) => (error ? failed(error) : written())),
    );
    await new Promise<void>((synced) => {
      this.#waiting.push(synced);
      if (!this.#syncing) void this.#sync();
    });
    return entry;
  }

  promised(entry: Entry, id: string): void {
    entry.id = id;
    this.#stream.write(`${JSON.stringify({ key: entry.operation.key, id })}\n`);
  }

  canceled(entry: Entry, cancel: "taken back" | "too late"): void {
    entry.cancel = cancel;
    this.#stream.write(`${JSON.stringify({ key: entry.operation.key, cancel })}\n`);
  }

  close(): Promise<void> {
    return new Promise((done) => this.#stream.end(done));
  }

  async #sync(): Promise<void> {
    this.#syncing = true;
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      await sync(this.#file);
      for (const done of waiting) done();
    }
    this.#syncing = false;
  }
}
