import fs from "node:fs";
import path from "node:path";
import { writeFileAtomically } from "../log/atomic-file.ts";
import type { Flusher } from "../log/flusher.ts";

/** The file is rewritten at start, and when it has this size and holds mostly what has been overwritten since. */
const COMPACT_BYTES = 16_777_216;
const BYTES_PER_LIVE_ENTRY = 256;

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** A line of the file: a commit, or a group (without topic) or a topic (without group) that is gone. */
type Line =
  | [group: string, topic: string, partition: number, offset: number, metadata: string]
  | [group: string]
  | [group: null, topic: string];

/**
 * What the groups have committed, in a file of one JSON array a line that is only appended to.
 *
 * A commit is handed to the operating system before it is acknowledged. At start the file is read, cut off at the
 * first line that is not whole, and rewritten without what is out of date.
 */
export class OffsetStore {
  readonly file: string;
  readonly #flusher: Flusher;
  readonly #maxEntries: number;
  readonly #groups = new Map<string, Map<string, CommittedOffset>>();
  #entries = 0;
  #descriptor: number;
  #sizeBytes = 0;
  #closed = false;

  constructor(directory: string, flusher: Flusher, maxEntries: number) {
    this.file = path.join(directory, "offsets.log");
    this.#flusher = flusher;
    this.#maxEntries = maxEntries;
    if (fs.existsSync(this.file)) this.#load();
    this.#descriptor = this.#compact();
  }

  groupIds(): string[] {
    return [...this.#groups.keys()];
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  find(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.get(keyOf(topic, partition));
  }

  all(group: string): CommittedOffset[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /**
   * Stores the commits of one request with one write.
   *
   * @returns false when the limit of entries is reached; nothing is stored then.
   */
  commit(group: string, commits: readonly CommittedOffset[]): boolean {
    if (this.#entries + commits.length > this.#maxEntries) {
      const added = commits.filter(({ topic, partition }) => this.find(group, topic, partition) === undefined);
      if (this.#entries + added.length > this.#maxEntries) return false;
    }
    this.#write(commits.map(({ topic, partition, offset, metadata }) => [group, topic, partition, offset, metadata]));
    return true;
  }

  deleteGroup(group: string): void {
    if (this.#groups.has(group)) this.#write([[group]]);
  }

  /** A topic made anew under the same name must not begin at the offsets of the old one. */
  deleteTopic(topic: string): void {
    this.#write([[null, topic]]);
  }

  async flush(): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve, reject) => {
      fs.fsync(this.#descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    this.#closed = true;
    this.#flusher.forget(this);
    fs.closeSync(this.#descriptor);
  }

  #write(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    for (let written = 0; written < bytes.length; ) {
      written += fs.writeSync(this.#descriptor, bytes, written, bytes.length - written, this.#sizeBytes + written);
    }
    this.#sizeBytes += bytes.length;
    for (const line of lines) this.#apply(line);
    this.#flusher.markDirty(this);
    if (this.#sizeBytes > Math.max(COMPACT_BYTES, this.#entries * BYTES_PER_LIVE_ENTRY * 4)) {
      fs.closeSync(this.#descriptor);
      this.#descriptor = this.#compact();
    }
  }

  #apply(line: Line): void {
    const [group, topic, partition, offset, metadata] = line;
    if (group === null) {
      this.#forgetTopic(topic!);
      return;
    }
    if (topic === undefined) {
      this.#entries -= this.#groups.get(group)?.size ?? 0;
      this.#groups.delete(group);
      return;
    }
    const entries = this.#groups.get(group) ?? new Map<string, CommittedOffset>();
    this.#entries -= entries.size;
    entries.set(keyOf(topic, partition!), { topic, partition: partition!, offset: offset!, metadata: metadata! });
    this.#entries += entries.size;
    this.#groups.set(group, entries);
  }

  #forgetTopic(topic: string): void {
    for (const [group, entries] of this.#groups) {
      this.#entries -= entries.size;
      for (const [key, entry] of entries) if (entry.topic === topic) entries.delete(key);
      this.#entries += entries.size;
      if (entries.size === 0) this.#groups.delete(group);
    }
  }

  #load(): void {
    const text = fs.readFileSync(this.file, "utf8");
    const lines = text.split("\n");
    lines.pop(); // what follows the last line end: nothing, or a line that a kill cut short
    for (const text of lines) {
      const line = parseLine(text);
      if (line === undefined) return;
      this.#apply(line);
    }
  }

  #compact(): number {
    const lines: string[] = [];
    for (const [group, entries] of this.#groups) {
      for (const { topic, partition, offset, metadata } of entries.values()) {
        lines.push(`${JSON.stringify([group, topic, partition, offset, metadata])}\n`);
      }
    }
    const content = lines.join("");
    writeFileAtomically(this.file, content);
    this.#sizeBytes = Buffer.byteLength(content);
    return fs.openSync(this.file, "r+");
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function parseLine(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return Array.isArray(line) && [1, 2, 5].includes(line.length) ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}
