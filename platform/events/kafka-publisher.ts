import { FerryError } from "@ferry/platform/errors";
import type * as KafkaJs from "kafkajs";
import { fromKafka } from "./kafka-client.ts";
import { createPartitioner } from "./kafkajs-partitions.ts";
import type { OutgoingRecord } from "./types.ts";

/** A request holds at most so many records, and so many bytes: brokers refuse batches above 1 MiB by default. */
const MAX_RECORDS = 1_000;
const MAX_BYTES = 768 * 1024;
const MAX_WAITING = 1_000;
/** Headers and framing of one record, roughly. */
const OVERHEAD_BYTES = 600;

function chunksOf(records: readonly OutgoingRecord[]): OutgoingRecord[][] {
  const chunks: OutgoingRecord[][] = [];
  let chunk: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.value.length + record.key.length + OVERHEAD_BYTES;
    if (chunk.length > 0 && (chunk.length >= MAX_RECORDS || bytes + size > MAX_BYTES)) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size;
  }
  chunks.push(chunk);
  return chunks;
}

/** kafkajs takes records as they are: they go to the wire without another object for each. */
function byTopic(records: readonly OutgoingRecord[]): KafkaJs.TopicMessages[] {
  const topics = new Map<string, OutgoingRecord[]>();
  for (const record of records) {
    const messages = topics.get(record.topic);
    if (messages === undefined) topics.set(record.topic, [record]);
    else messages.push(record);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages: messages as unknown as KafkaJs.Message[] }));
}

/**
 * Sends records through an idempotent producer, one request after the other, so that order is kept.
 *
 * After a failure the producer is thrown away: its sequence numbers may no longer be the broker's, and a
 * new one has numbers of its own. What the failed call may have delivered is delivered again by its caller.
 */
export function createPublisher(kafka: KafkaJs.Kafka, ensureTopics: (topics: { name: string }[]) => Promise<void>) {
  let producer: KafkaJs.Producer | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  async function connected(): Promise<KafkaJs.Producer> {
    if (producer !== undefined) return producer;
    const made = kafka.producer({
      idempotent: true,
      createPartitioner,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { retries: 4, initialRetryTime: 100, maxRetryTime: 1_000 },
    });
    try {
      await made.connect();
    } catch (error) {
      await made.disconnect().catch(() => {});
      throw error;
    }
    producer = made;
    return made;
  }

  async function drop(): Promise<void> {
    const dropped = producer;
    producer = undefined;
    await dropped?.disconnect().catch(() => {}); // It is broken anyway.
  }

  async function send(records: readonly OutgoingRecord[]): Promise<void> {
    if (closed) throw new FerryError("UNAVAILABLE", "the bus is closed");
    try {
      await ensureTopics([...new Set(records.map(({ topic }) => topic))].map((name) => ({ name })));
      for (const chunk of chunksOf(records))
        await (await connected()).sendBatch({ acks: -1, topicMessages: byTopic(chunk) });
    } catch (error) {
      await drop();
      throw fromKafka(error);
    }
  }

  return {
    publish(records: readonly OutgoingRecord[]): Promise<void> {
      if (records.length === 0) return Promise.resolve();
      if (waiting >= MAX_WAITING) return Promise.reject(new FerryError("OVERLOADED", "too much waits for the broker"));
      waiting++;
      const sent = last.then(() => send(records)).finally(() => waiting--);
      last = sent.catch(() => {});
      return sent;
    },
    async close(): Promise<void> {
      await last;
      closed = true;
      await drop();
    },
  };
}
