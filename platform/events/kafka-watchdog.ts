import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";

const STALL_MS = 60_000;
const LOOK_MS = 15_000;

export interface WatchdogOptions {
  kafka: KafkaJs.Kafka;
  group: string;
  topics: readonly string[];
  logger: Logger;
  /** Partitions that this member has; undefined when it is in no group. */
  assigned(): Readonly<Record<string, readonly number[]>> | undefined;
  onStall(error: Error): void;
  /** Aborted when there is nothing to watch any more. */
  stopping: AbortSignal;
  /** Default 60,000. */
  stallMs?: number;
  /** Default 15,000. */
  lookMs?: number;
}

/** Messages that the group has not handled, of the partitions given, or of all when the member has joined nothing. */
async function lagOf({ kafka, group, topics, assigned }: WatchdogOptions): Promise<bigint> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const mine = assigned();
    const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
    let lag = 0n;
    for (const { topic, partitions } of committed) {
      const ends = new Map((await admin.fetchTopicOffsets(topic)).map((end) => [end.partition, end]));
      for (const { partition, offset } of partitions) {
        const end = ends.get(partition);
        if (end === undefined || (mine !== undefined && !mine[topic]?.includes(partition))) continue;
        const from = offset === "-1" ? end.low : offset;
        lag += BigInt(end.high) - BigInt(from);
      }
    }
    return lag;
  } finally {
    await admin.disconnect();
  }
}

/**
 * Watches a subscription: when nothing has moved for a minute although messages wait, the consumer is
 * stuck in a way that it does not know of, and its process has to start again.
 */
export function watch(options: WatchdogOptions) {
  const { stallMs = STALL_MS, lookMs = LOOK_MS, logger, group } = options;
  let movedAtMs = Date.now();
  let looking = false;

  async function look(): Promise<void> {
    const before = movedAtMs;
    if (looking || Date.now() - before < stallMs) return;
    looking = true;
    try {
      const lag = await lagOf(options);
      if (movedAtMs !== before) return;
      if (lag > 0n) options.onStall(new Error(`${group}: ${lag} messages wait and nothing moved for ${stallMs} ms`));
      else movedAtMs = Date.now();
    } catch (error) {
      logger.warn({ group, error: String(error) }, "lag cannot be read"); // No broker, no stall of ours.
    } finally {
      looking = false;
    }
  }

  const timer = setInterval(() => void look(), lookMs).unref();
  options.stopping.addEventListener("abort", () => clearInterval(timer), { once: true });
  return {
    moved(): void {
      movedAtMs = Date.now();
    },
  };
}
