import { FerryError } from "@ferry/platform/errors";
import type * as KafkaJs from "kafkajs";
import { fromKafka } from "./kafka-client.ts";

const PARTITIONS = 3;

interface Wanted {
  name: string;
  partitions?: number;
}

/** Makes topics that are missing, and remembers those that are there. */
export function createTopicMaker(kafka: KafkaJs.Kafka) {
  const there = new Set<string>();

  async function make(wanted: readonly Wanted[]): Promise<void> {
    const admin = kafka.admin();
    try {
      await admin.connect();
      const before = new Set(await admin.listTopics());
      const missing = wanted.filter(({ name }) => !before.has(name));
      if (missing.length > 0) {
        const topics = missing.map(({ name, partitions }) => ({
          topic: name,
          numPartitions: partitions ?? (name.endsWith(".dlq") ? 1 : PARTITIONS),
        }));
        // Another process may make them at the same time: what counts is that they are there afterwards.
        await admin.createTopics({ topics, waitForLeaders: true, timeout: 10_000 });
        const after = new Set(await admin.listTopics());
        const absent = missing.find(({ name }) => !after.has(name));
        if (absent !== undefined) throw new FerryError("UNAVAILABLE", `topic ${absent.name} is not there yet`);
      }
      for (const { name } of wanted) there.add(name);
    } catch (error) {
      throw fromKafka(error);
    } finally {
      await admin.disconnect();
    }
  }

  return {
    async ensure(wanted: readonly Wanted[]): Promise<void> {
      const unknown = wanted.filter(({ name }) => !there.has(name));
      if (unknown.length > 0) await make([...new Map(unknown.map((topic) => [topic.name, topic])).values()]);
    },
  };
}
