import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { deadLetterTopic } from "./dead-letters.ts";
import { pause } from "./handle-set.ts";
import { fromKafka } from "./kafka-client.ts";
import { Sets } from "./kafka-sets.ts";
import { watch } from "./kafka-watchdog.ts";
import { ConsumerFigures, showConsumer } from "./metrics.ts";
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

/** A rebalance is noticed within this time. */
const LONGEST_HEARTBEAT_MS = 1_000;
/** Partitions that may be in one set. */
const CONCURRENT_PARTITIONS = 64;

/** kafkajs heart-beats between polls only, so a poll is never longer than a third of the session either. */
const LONGEST_POLL_MS = 2_000;

/**
 * The long poll is a trade: leaving a group takes as long as it at most, and each turn of it costs CPU
 * when idle (0.3 % of a core for a subscription at 500 ms, a quarter of that at 2 s). kafkajs's default of 5 s is too
 * slow to leave. All groups of a process are left side by side, see `Bus.leaveGroups`.
 */
const CONSUMER_SETTINGS = {
  rebalanceTimeout: 15_000,
  minBytes: 1,
  maxBytes: 4 * 1024 * 1024,
  maxBytesPerPartition: 1024 * 1024,
  allowAutoTopicCreation: false,
};

class KafkaSubscription implements Subscription {
  readonly #options: KafkaSubscriptionOptions;
  readonly #consumer: KafkaJs.Consumer;
  readonly #stopping = new AbortController();
  readonly #joined = Promise.withResolvers<void>();
  readonly #topics: string[];
  readonly #heartbeatMs: number;
  #assigned: Readonly<Record<string, readonly number[]>> | undefined;
  #paused: string | undefined;
  #sets: Sets | undefined;
  #stopped: Promise<void> | undefined;
  readonly #figures = new ConsumerFigures();
  #hide = () => {};

  constructor(options: KafkaSubscriptionOptions) {
    const { kafka, subscribe, sessionTimeoutMs } = options;
    this.#options = options;
    this.#topics = [...subscribe.topics];
    this.#heartbeatMs = Math.min(LONGEST_HEARTBEAT_MS, Math.floor(sessionTimeoutMs / 3));
    this.#consumer = kafka.consumer({
      ...CONSUMER_SETTINGS,
      maxWaitTimeInMs: Math.min(LONGEST_POLL_MS, Math.floor(sessionTimeoutMs / 3)),
      groupId: subscribe.group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: this.#heartbeatMs,
    });
    this.#listen();
  }

  async start(): Promise<void> {
    const { closing } = this.#options;
    closing.addEventListener("abort", () => this.#joined.resolve(), { once: true });
    try {
      await this.#whenBrokerIsThere();
    } catch (error) {
      await this.#consumer.disconnect();
      throw error;
    }
    await this.#consume();
    await this.#joined.promise;
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopped ??= this.#leave();
    return this.#stopped;
  }

  /** A set at hand is finished and committed by itself before kafkajs leaves the group. */
  async #leave(): Promise<void> {
    this.#hide();
    await this.#sets?.commit();
    await this.#consumer.disconnect();
  }

  unready(): string | undefined {
    if (this.#stopping.signal.aborted) return "stopped";
    if (this.#assigned === undefined) return `not in the consumer group ${this.#options.subscribe.group}`;
    return this.#paused === undefined ? undefined : `messages wait: ${this.#paused}`;
  }

  #listen(): void {
    const { logger, onFatal, subscribe } = this.#options;
    const { on, events } = this.#consumer;
    on(events.GROUP_JOIN, ({ payload }) => {
      this.#assigned = payload.memberAssignment;
      this.#joined.resolve();
    });
    on(events.REBALANCING, () => {
      this.#assigned = undefined;
      this.#figures.lag.clear(); // Another member may have these partitions now.
      void this.#sets?.commit(); // What is handled need not come again to the next owner of its partition.
    });
    on(events.CRASH, ({ payload }) => {
      this.#assigned = undefined;
      const error = new Error(`consumer ${subscribe.group} crashed: ${payload.error.message}`, {
        cause: payload.error,
      });
      if (payload.restart) logger.warn({ group: subscribe.group, error: error.message }, "consumer starts again");
      else onFatal(error);
    });
  }

  /** Makes the topics and connects; tried as long as the broker is what is missing. */
  async #whenBrokerIsThere(): Promise<void> {
    const { bus, logger, closing } = this.#options;
    const topics = [...this.#topics, ...this.#topics.map(deadLetterTopic)].map((name) => ({ name }));
    for (let attempt = 0; ; attempt++) {
      try {
        await bus.ensureTopics(topics);
        await this.#consumer.connect();
        await this.#consumer.subscribe({ topics: this.#topics, fromBeginning: true });
        return;
      } catch (error) {
        const failure = fromKafka(error);
        if (!failure.retryable) throw failure;
        logger.warn({ error: String(failure.cause ?? failure), attempt }, "waiting for the broker");
        if (!(await pause(attempt, closing))) throw failure;
      }
    }
  }

  async #consume(): Promise<void> {
    const { kafka, bus, logger, onFatal, subscribe } = this.#options;
    const watchdog = watch({
      ...{ kafka, logger, group: subscribe.group, topics: this.#topics, onStall: onFatal },
      assigned: () => this.#assigned,
      stopping: this.#stopping.signal,
    });
    const sets = new Sets({
      ...{ subscribe, logger, publish: bus.publish, heartbeatMs: this.#heartbeatMs },
      stopping: this.#stopping.signal,
      figures: this.#figures,
      onMove: (reason) => {
        this.#paused = this.#figures.paused = reason;
        watchdog.moved();
      },
    });
    this.#sets = sets;
    this.#hide = showConsumer(subscribe.group, this.#figures);
    await this.#consumer.run({
      ...{ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: CONCURRENT_PARTITIONS },
      eachBatch: (payload) => sets.eachBatch(payload),
    });
  }
}

/** Joins a consumer group and hands sets to the handler. Resolves when the group has been joined. */
export async function subscribeKafka(options: KafkaSubscriptionOptions): Promise<Subscription> {
  const subscription = new KafkaSubscription(options);
  await subscription.start();
  return subscription;
}
