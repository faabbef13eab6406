import { Kafka, logLevel, type Message } from "kafkajs";
import type { BusWay } from "./records.ts";

/**
 * kafkajs as it comes, with the same promises: an idempotent producer with one request under way, all
 * replicas, offsets committed by hand after each batch, and headers and keys read as text.
 */
export const open: BusWay["open"] = async ({ brokers, topic, received }) => {
  const kafka = new Kafka({ clientId: "bench", brokers, logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true });
  await admin.disconnect();
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  const consumer = kafka.consumer({ groupId: `bench-${topic}`, maxWaitTimeInMs: 500, allowAutoTopicCreation: false });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const joined = new Promise((done) => consumer.on(consumer.events.GROUP_JOIN, done));
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: 3,
    async eachBatch({ batch, resolveOffset, commitOffsetsIfNecessary }) {
      for (const { key, headers } of batch.messages) {
        const text: Record<string, string> = { key: String(key) };
        for (const name in headers) text[name] = String(headers[name]);
        received(text);
      }
      resolveOffset(batch.lastOffset());
      await commitOffsetsIfNecessary({} as never); // With an empty object it commits all that was resolved.
    },
  });
  await joined;
  return {
    async publish(records) {
      const messages: Message[] = records.map(({ key, value, headers }) => ({
        key,
        value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
        headers,
      }));
      await producer.send({ topic, messages, acks: -1 });
    },
    async close() {
      await Promise.all([consumer.disconnect(), producer.disconnect()]);
    },
  };
};
