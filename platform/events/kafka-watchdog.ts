import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";

const STALL_MS = 60_000;
const LOOK_MS = 15_000;

export interface WatchdogOptions {
  kafka: Pick<KafkaJs.Kafka, "admin">;
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
async function lagOf(admin: KafkaJs.Admin, { group, topics, assigned }: WatchdogOptions): Promise<bigint> {
  const mine = assigned();
  const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
  let lag = 0n;
  for (const { topic, partitions } of committed) {
    const ends = new Map((await admin.fetchTopicOffsets(topic)).map((end) => [end.partition, end]));
    for (const { partition, offset } of partitions) {
      const end = ends.get(partition);
      if (end === undefined || (mine !== undefined && !mine[topic]?.includes(partition))) continue;
      // What retention took away before it was handled waits for nobody: to start again would not bring it back.
      const from = BigInt(offset) < BigInt(end.low) ? end.low : offset;
      lag += BigInt(end.high) - BigInt(from);
    }
  }
  return lag;
}

/**
 * Reads the lag over one connection, which is made with the first look and kept: an idle subscription looks each
 * minute, and connecting costs more than looking. After a failure the next look connects anew.
 */
function createLagReader(options: WatchdogOptions) {
  let admin: KafkaJs.Admin | undefined;

  async function close(): Promise<void> {
    const closing = admin;
    admin = undefined;
    await closing?.disconnect().catch(() => {}); // It is broken, or nobody needs it any more.
  }

  return {
    async read(): Promise<bigint> {
      try {
        if (admin === undefined) {
          admin = options.kafka.admin();
          await admin.connect();
        }
        return await lagOf(admin, options);
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

/**
 * Watches a subscription: when nothing has moved for a minute although messages wait, the consumer is
 * stuck in a way that it does not know of, and its process has to start again.
 */
export function watch(options: WatchdogOptions) {
  const { stallMs = STALL_MS, lookMs = LOOK_MS, logger, group, stopping } = options;
  const reader = createLagReader(options);
  let movedAtMs = performance.now(); // A clock that is set back must not put it to sleep.
  let looking = false;

  async function look(): Promise<void> {
    const before = movedAtMs;
    if (looking || performance.now() - before < stallMs) return;
    looking = true;
    try {
      const lag = await reader.read();
      if (movedAtMs !== before) return;
      if (lag > 0n) options.onStall(new Error(`${group}: ${lag} messages wait and nothing moved for ${stallMs} ms`));
      else movedAtMs = performance.now();
    } catch (error) {
      logger.warn({ group, error: String(error) }, "lag cannot be read"); // No broker, no stall of ours.
    } finally {
      looking = false;
      if (stopping.aborted) await reader.close();
    }
  }

  const timer = setInterval(() => void look(), lookMs).unref();
  stopping.addEventListener(
    "abort",
    () => {
      clearInterval(timer);
      if (!looking) void reader.close(); // Else the look closes it at its end: it would only connect again.
    },
    { once: true },
  );
  return {
    moved(): void {
      movedAtMs = performance.now();
    },
  };
}
