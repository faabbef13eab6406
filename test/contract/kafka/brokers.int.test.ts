import assert from "node:assert/strict";
import { test } from "node:test";
import { Kafka, logLevel, type RecordMetadata } from "kafkajs";
import { availableBrokers } from "./brokers.ts";

for (const broker of availableBrokers()) {
  test(`${broker.name} starts, takes an idempotent message, gives it back to a group, and stops`, async () => {
    const running = await broker.start();
    try {
      const kafka = new Kafka({ brokers: [running.brokers], logLevel: logLevel.NOTHING });
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: "greetings", numPartitions: 2 }], waitForLeaders: true });
      const producer = kafka.producer({ idempotent: true, allowAutoTopicCreation: false });
      await producer.connect();
      const sent: RecordMetadata[] = await producer.send({
        topic: "greetings",
        messages: [{ key: "a", value: "good morning", headers: { tone: "friendly" }, partition: 1 }],
      });
      assert.equal(sent[0]?.errorCode, 0);
      assert.equal(sent[0]?.baseOffset, "0");

      const consumer = kafka.consumer({ groupId: "listeners", maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topics: ["greetings"], fromBeginning: true });
      const seen = Promise.withResolvers<string>();
      await consumer.run({
        eachMessage: async ({ partition, message }) =>
          seen.resolve(`${partition}/${message.offset} ${message.value} ${message.headers?.tone}`),
      });
      assert.equal(await seen.promise, "1/0 good morning friendly");
      await consumer.disconnect();
      const offsets = await admin.fetchOffsets({ groupId: "listeners", topics: ["greetings"] });
      assert.equal(offsets[0]?.partitions.find(({ partition }) => partition === 1)?.offset, "1");
      await producer.disconnect();
      await admin.disconnect();
    } finally {
      await running.stop();
    }
    await assert.rejects(async () => {
      const admin = new Kafka({
        brokers: [running.brokers],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
      }).admin();
      await admin.connect();
    });
  });
}
