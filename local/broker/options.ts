/** What the broker allows, and how it behaves where the protocol leaves it open. Times in ms, sizes in bytes. */
export interface BrokerOptions {
  /** A larger request closes its connection. */
  readonly maxRequestBytes: number;
  readonly maxConnections: number;
  readonly maxTopics: number;
  readonly maxPartitionsPerTopic: number;
  readonly maxProducersPerPartition: number;
  /** Most bytes of records in one answer to a fetch, whatever the client allows. */
  readonly maxFetchBytes: number;
  /** The newest batches of all partitions together that are kept in memory. */
  readonly cacheBytes: number;
  /** A larger batch is refused with MESSAGE_TOO_LARGE: the same as Apache Kafka's default. */
  readonly maxBatchBytes: number;
  readonly segmentBytes: number;
  /** -1 keeps everything. */
  readonly retentionMs: number;
  /** Of each partition; -1 keeps everything. */
  readonly retentionBytes: number;
  readonly retentionCheckMs: number;
  /** How long what was acknowledged may lie in the operating system's memory before it is written to the disk. */
  readonly flushIntervalMs: number;
  readonly maxGroups: number;
  readonly maxMembers: number;
  readonly maxCommittedOffsets: number;
  /** Of the text that a client may attach to a committed offset. */
  readonly maxMetadataBytes: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** How long a member whose connection closed has to show itself on another one before it is taken for dead. */
  readonly disconnectGraceMs: number;
  /** Of a topic for which the client names no number. */
  readonly defaultPartitions: number;
  /** Makes unknown topics when a client asks about them and allows it; otherwise they are an error. */
  readonly autoCreateTopics: boolean;
}

const MEBIBYTE = 1_048_576;
const MINUTE_MS = 60_000;

export const DEFAULT_OPTIONS: BrokerOptions = {
  maxRequestBytes: 64 * MEBIBYTE,
  maxConnections: 1000,
  maxTopics: 1000,
  maxPartitionsPerTopic: 64,
  maxProducersPerPartition: 1000,
  maxFetchBytes: 64 * MEBIBYTE,
  cacheBytes: 32 * MEBIBYTE,
  maxBatchBytes: MEBIBYTE + 12,
  segmentBytes: 64 * MEBIBYTE,
  retentionMs: 7 * 24 * 60 * MINUTE_MS,
  retentionBytes: 1024 * MEBIBYTE,
  retentionCheckMs: MINUTE_MS,
  flushIntervalMs: 1000,
  maxGroups: 1000,
  maxMembers: 1000,
  maxCommittedOffsets: 100_000,
  maxMetadataBytes: 4096,
  minSessionTimeoutMs: 1000,
  maxSessionTimeoutMs: 30 * MINUTE_MS,
  disconnectGraceMs: 300,
  defaultPartitions: 3,
  autoCreateTopics: false,
};
