import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import * as z from "zod";
import { ErrorCode } from "../protocol/error-codes.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { type LogLimits, type LogRoom, PartitionLog } from "./partition-log.ts";

/** Topic configuration that has an effect, with the limit that it sets. */
export const TOPIC_CONFIGS = {
  "retention.ms": "retentionMs",
  "retention.bytes": "retentionBytes",
  "segment.bytes": "segmentBytes",
  "max.message.bytes": "maxBatchBytes",
} as const satisfies Record<string, keyof LogLimits>;

/** Configuration that says what is the case anyway; any other value of it is refused. */
export const FIXED_CONFIGS: Readonly<Record<string, string>> = {
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "message.timestamp.type": "CreateTime",
  "min.insync.replicas": "1",
};

const fileSchema = z.object({
  topics: z.array(
    z.object({
      name: z.string(),
      partitions: z.number().int().positive(),
      config: z.record(z.string(), z.string()),
    }),
  ),
});

export interface Topic {
  readonly name: string;
  readonly partitions: PartitionLog[];
  readonly config: Readonly<Record<string, string>>;
  readonly limits: LogLimits;
}

export interface TopicLimits {
  maxTopics: number;
  maxPartitionsPerTopic: number;
}

/**
 * The topics of the broker and their logs.
 *
 * `topics.json` is the truth and is written first; directories that it does not name are never read. What is deleted
 * moves to `deleted/`, and is removed from there at leisure or at the next start.
 */
export class Topics {
  readonly #directory: string;
  readonly #logLimits: LogLimits;
  readonly #limits: TopicLimits;
  readonly #room: LogRoom;
  readonly #topics = new Map<string, Topic>();

  constructor(directory: string, logLimits: LogLimits, limits: TopicLimits, room: LogRoom) {
    this.#directory = directory;
    this.#logLimits = logLimits;
    this.#limits = limits;
    this.#room = room;
    fs.mkdirSync(path.join(directory, "topics"), { recursive: true });
    fs.rmSync(this.#deletedDirectory, { recursive: true, force: true });
    if (!fs.existsSync(this.#file)) return;
    const { topics } = fileSchema.parse(JSON.parse(fs.readFileSync(this.#file, "utf8")));
    for (const { name, partitions, config } of topics) this.#open(name, partitions, config);
  }

  all(): Topic[] {
    return [...this.#topics.values()];
  }

  find(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  findPartition(name: string, partition: number): PartitionLog | undefined {
    return this.#topics.get(name)?.partitions[partition];
  }

  create(name: string, partitions: number, config: Readonly<Record<string, string>> = {}): ErrorCode {
    const error = this.checkCreate(name, partitions, config);
    if (error !== ErrorCode.NONE) return error;
    this.#setAside(name); // a kill between deleting a topic and moving its directory left old records behind
    this.#open(name, partitions, config);
    this.#save();
    return ErrorCode.NONE;
  }

  checkCreate(name: string, partitions: number, config: Readonly<Record<string, string>>): ErrorCode {
    if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === "." || name === "..") return ErrorCode.INVALID_TOPIC;
    if (this.#topics.has(name)) return ErrorCode.TOPIC_ALREADY_EXISTS;
    if (partitions < 1 || partitions > this.#limits.maxPartitionsPerTopic) return ErrorCode.INVALID_PARTITIONS;
    if (this.#topics.size >= this.#limits.maxTopics) return ErrorCode.POLICY_VIOLATION;
    const wrong = Object.entries(config).find(([key, value]) => !isKnownConfig(key, value));
    if (wrong === undefined) return ErrorCode.NONE;
    this.#room.log("topic configuration refused", { topic: name, key: wrong[0], value: wrong[1] });
    return ErrorCode.INVALID_CONFIG;
  }

  /** @param count the new number of partitions, larger than the present one. */
  grow(name: string, count: number, validateOnly: boolean): ErrorCode {
    const topic = this.#topics.get(name);
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (count <= topic.partitions.length || count > this.#limits.maxPartitionsPerTopic) {
      return ErrorCode.INVALID_PARTITIONS;
    }
    if (validateOnly) return ErrorCode.NONE;
    while (topic.partitions.length < count) topic.partitions.push(this.#openLog(topic, topic.partitions.length));
    this.#save();
    return ErrorCode.NONE;
  }

  delete(name: string): ErrorCode {
    const topic = this.#topics.get(name);
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    this.#topics.delete(name);
    this.#save();
    for (const partition of topic.partitions) partition.close();
    const aside = this.#setAside(name);
    if (aside !== undefined) fs.rm(aside, { recursive: true, force: true }, () => {});
    return ErrorCode.NONE;
  }

  retain(nowMs: number): void {
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) partition.retain(nowMs);
    }
  }

  close(): void {
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) partition.close();
    }
  }

  get #file(): string {
    return path.join(this.#directory, "topics.json");
  }

  get #deletedDirectory(): string {
    return path.join(this.#directory, "deleted");
  }

  #open(name: string, partitions: number, config: Readonly<Record<string, string>>): void {
    const limits = { ...this.#logLimits };
    for (const [key, limit] of Object.entries(TOPIC_CONFIGS)) {
      if (config[key] !== undefined) limits[limit] = Number(config[key]);
    }
    const topic: Topic = { name, partitions: [], config, limits };
    for (let index = 0; index < partitions; index += 1) topic.partitions.push(this.#openLog(topic, index));
    this.#topics.set(name, topic);
  }

  #openLog(topic: Topic, index: number): PartitionLog {
    return new PartitionLog(path.join(this.#directory, "topics", topic.name, String(index)), topic.limits, this.#room);
  }

  #setAside(name: string): string | undefined {
    const from = path.join(this.#directory, "topics", name);
    if (!fs.existsSync(from)) return undefined;
    fs.mkdirSync(this.#deletedDirectory, { recursive: true });
    const aside = path.join(this.#deletedDirectory, randomUUID());
    fs.renameSync(from, aside);
    return aside;
  }

  #save(): void {
    const topics = this.all().map(({ name, partitions, config }) => ({ name, partitions: partitions.length, config }));
    writeFileAtomically(this.#file, `${JSON.stringify({ topics }, null, 2)}\n`);
  }
}

function isKnownConfig(key: string, value: string): boolean {
  if (Object.hasOwn(FIXED_CONFIGS, key)) return FIXED_CONFIGS[key] === value;
  const limit = (TOPIC_CONFIGS as Record<string, keyof LogLimits>)[key];
  if (limit === undefined || !/^-?\d{1,15}$/.test(value)) return false;
  return Number(value) >= (limit === "retentionMs" || limit === "retentionBytes" ? -1 : 1024);
}
