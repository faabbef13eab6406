import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Logger } from "@ferry/platform/telemetry";

/** A message as it goes to the broker. */
export interface OutgoingRecord {
  topic: string;
  key: string;
  value: Uint8Array;
  headers: Readonly<Record<string, string>>;
}

/** A message as it comes from the broker. */
export interface ReceivedRecord {
  topic: string;
  partition: number;
  offset: bigint;
  key: string | undefined;
  value: Uint8Array | undefined;
  headers: Readonly<Record<string, string>>;
}

export interface SubscribeOptions {
  /** Consumer group; a new one begins at the earliest message. */
  group: string;
  topics: readonly string[];
  /**
   * Takes what has arrived, of all partitions, in order per partition. Offsets are committed after it
   * resolves. A retryable failure (FerryError.retryable, or what the database throws when it is away)
   * pauses and tries the set again; any other halves the set until the culprit is alone, and sends it
   * to the dead letters (topic + ".dlq").
   */
  handle(set: readonly ReceivedRecord[]): Promise<void>;
  /** Messages in one set at most. Default 500. */
  maxMessages?: number;
}

/** The narrow port behind which the broker's client stands. */
export interface Bus {
  /** Where `consume` writes hops and dead letters. */
  readonly logger: Logger;
  /** Resolves when the broker has acknowledged all of it; rejects when it did not take all. Order is kept per key. */
  publish(records: readonly OutgoingRecord[]): Promise<void>;
  /** Resolves when the group has been joined. */
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** Makes topics that are missing. Default 3 partitions, 1 for dead letters. Publishing and subscribing do it by themselves. */
  ensureTopics(topics: readonly { name: string; partitions?: number }[]): Promise<void>;
  /** Begins to leave all groups at once: who stops them one after the other waits for the slowest only. */
  leaveGroups?(): void;
  close(): Promise<void>;
}

export interface Subscription {
  /** Finishes the set at hand, commits its offsets, leaves the group. */
  stop(): Promise<void>;
  /** Why nothing is consumed now; undefined when all is well. */
  unready(): string | undefined;
}

/** A decoded message with what travels beside it. */
export interface Envelope<Message> {
  /** ce_id: the same for every delivery of the message. */
  id: string;
  /** ce_type: full name of the message type. */
  type: string;
  key: string;
  message: Message;
  sagaId?: string;
  /** Name of the saga step that a command serves; its reply carries it too. */
  sagaStep?: string;
  /** Topic that the reply goes to. */
  replyTo?: string;
  /** After this moment the command is answered EXPIRED instead of being carried out. */
  expiresAt?: Date;
  traceparent?: string;
}

export interface ConsumeOptions<Schemas extends readonly DescMessage[]> {
  group: string;
  topics: readonly string[];
  /** Message types that are handled. Their union can be told apart by `message.$typeName`. */
  schemas: Schemas;
  /** Takes a decoded set; failures as for Bus.subscribe. Messages that cannot be decoded went to the dead letters before. */
  handle(set: readonly Envelope<MessageShape<Schemas[number]>>[]): Promise<void>;
  /** What to do with types that are not in `schemas`. Default "dead-letter". */
  unknownTypes?: "ignore" | "dead-letter";
  /** Messages in one set at most. Default 500. */
  maxMessages?: number;
}
