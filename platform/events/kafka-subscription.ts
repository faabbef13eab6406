import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { deadLetterTopic } from "./dead-letters.ts";
import { pause } from "./handle-set.ts";
import { fromKafka } from "./kafka-client.ts";
import { createSets } from "./kafka-sets.ts";
import { watch } from "./kafka-watchdog.ts";
import type { Bus, SubscribeOptions, Subscription } from "./types.ts";

export interface KafkaSubscriptionOptions {
  kafka: KafkaJs.Kafka;
  bus: Pick<Bus, "publish" | "ensureTopics">;
  logger: Logger;
  sessionTimeoutMs: number;
  /** Aborted when the bus closes: whoever still waits for the broker gives up. */
  closing: AbortSignal;
  onFatal(error: Error): void;
  subscribe: SubscribeOptions;
}

/** kafkajs's settings. Its own defaults make each join and leave take five seconds. */
const LONG_POLL_MS = 250;
const HEARTBEAT_MS = 500;
const REBALANCE_TIMEOUT_MS = 15_000;
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_BYTES_OF_PARTITION = 1024 * 1024;
/** Partitions that may be in one set. */
const CONCURRENT_PARTITIONS = 64;

/** Runs until it succeeds, as long as the broker is what is missing. */
async function whenBrokerIsThere(run: () => Promise<void>, logger: Logger, closing: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const failure = fromKafka(error);
      if (!failure.retryable) throw failure;
      logger.warn({ error: String(failure.cause ?? failure), attempt }, "waiting for the broker");
      if (!(await pause(attempt, closing))) throw failure;
    }
  }
}

/** Joins a consumer group and hands sets to the handler. Resolves when the group has been joined. */
export async function subscribeKafka(options: KafkaSubscriptionOptions): Promise<Subscription> {
  const { kafka, bus, logger, closing, onFatal, subscribe, sessionTimeoutMs } = options;
  const { group } = subscribe;
  const topics = [...subscribe.topics];
  const stopping = new AbortController();
  let assigned: Readonly<Record<string, readonly number[]>> | undefined;
  let paused: string | undefined;

  const consumer = kafka.consumer({
    groupId: group,
    maxWaitTimeInMs: LONG_POLL_MS,
    heartbeatInterval: HEARTBEAT_MS,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    minBytes: 1,
    maxBytes: MAX_BYTES,
    maxBytesPerPartition: MAX_BYTES_OF_PARTITION,
    allowAutoTopicCreation: false,
  });
  const joined = Promise.withResolvers<void>();
  closing.addEventListener("abort", () => joined.resolve());
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment;
    joined.resolve();
  });
  consumer.on(consumer.events.REBALANCING, () => {
    assigned = undefined;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    assigned = undefined;
    if (payload.restart) logger.warn({ group, error: String(payload.error) }, "consumer starts again");
    else onFatal(new Error(`consumer ${group} crashed`, { cause: payload.error }));
  });

  async function prepare(): Promise<void> {
    await bus.ensureTopics([...topics, ...topics.map(deadLetterTopic)].map((name) => ({ name })));
    await consumer.connect();
    await consumer.subscribe({ topics, fromBeginning: true });
  }
  try {
    await whenBrokerIsThere(prepare, logger, closing);
  } catch (error) {
    await consumer.disconnect();
    throw error;
  }
  const watchdog = watch({ kafka, group, topics, logger, assigned: () => assigned, onStall: onFatal });
  const sets = createSets({
    subscribe,
    logger,
    publish: bus.publish,
    stopping: stopping.signal,
    heartbeatMs: HEARTBEAT_MS,
    onMove(reason) {
      paused = reason;
      watchdog.moved();
    },
  });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
    eachBatch: sets.eachBatch,
  });
  await joined.promise;

  let stopped: Promise<void> | undefined;
  return {
    stop() {
      stopped ??= (async () => {
        stopping.abort();
        watchdog.stop();
        await consumer.disconnect();
      })();
      return stopped;
    },
    unready() {
      if (stopping.signal.aborted) return "stopped";
      if (assigned === undefined) return `not in the consumer group ${group}`;
      return paused === undefined ? undefined : `messages wait: ${paused}`;
    },
  };
}
