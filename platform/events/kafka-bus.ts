import { FerryError } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import { type KafkaClientOptions, openClient } from "./kafka-client.ts";
import { createPublisher } from "./kafka-publisher.ts";
import { subscribeKafka } from "./kafka-subscription.ts";
import { createTopicMaker } from "./kafka-topics.ts";
import type { Bus, SubscribeOptions, Subscription } from "./types.ts";

export interface KafkaBusOptions extends KafkaClientOptions {
  /**
   * Called when a consumer has ended for good or is stuck: the process must not live on as if it consumed.
   * Default: log the error and exit with code 1.
   */
  onFatal?(error: Error): void;
  /** After so long without a sign of life a member's partitions go to others, in milliseconds. Default 6,000, the least that Apache Kafka takes by default. */
  sessionTimeoutMs?: number;
}

function exitWith(logger: Logger): (error: Error) => void {
  return (error) => {
    logger.error({ error: error.message, cause: String(error.cause ?? ""), stack: error.stack }, "bus failed");
    process.exit(1);
  };
}

/**
 * The bus over a Kafka broker. Nothing connects until the first use; a broker that is away is waited for
 * by `subscribe`, and makes `publish` reject with UNAVAILABLE after a few seconds.
 */
export function createKafkaBus(options: KafkaBusOptions): Bus {
  const { logger, onFatal = exitWith(logger), sessionTimeoutMs = 6_000 } = options;
  const kafka = openClient(options);
  const topics = createTopicMaker(kafka);
  const publisher = createPublisher(kafka, topics.ensure);
  const closing = new AbortController();
  const subscriptions = new Set<Promise<Subscription>>();

  const bus: Bus = {
    logger,
    publish: publisher.publish,
    ensureTopics: topics.ensure,
    subscribe(subscribe: SubscribeOptions) {
      // A part that was still starting when the stop came: its member would join, and die without leaving its group.
      if (closing.signal.aborted) return Promise.reject(new FerryError("UNAVAILABLE", "the bus is closed"));
      const subscription = subscribeKafka({
        ...{ kafka, bus, logger, onFatal, subscribe, sessionTimeoutMs },
        closing: closing.signal,
      });
      subscriptions.add(subscription);
      subscription.catch(() => subscriptions.delete(subscription));
      return subscription;
    },
    leaveGroups() {
      for (const one of subscriptions) void one.then((subscription) => subscription.stop()).catch(() => {}); // Told where it is awaited.
    },
    async close() {
      closing.abort();
      const begun = await Promise.allSettled(subscriptions);
      await Promise.all(begun.map((one) => (one.status === "fulfilled" ? one.value.stop() : undefined)));
      await publisher.close();
    },
  };
  return bus;
}
