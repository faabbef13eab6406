import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");

/** What the environment says about the Apache Kafka of the tests. */
export const kafkaTestConfig = Object.freeze({
  /** FERRY_TEST_KAFKA=1: contract suites run against Apache Kafka, too. Off by default, to keep the tests quick. */
  wanted: process.env.FERRY_TEST_KAFKA === "1",
  /** Where its jars are kept once fetched. */
  libraryDirectory: resolve(process.env.FERRY_KAFKA_DIR ?? join(ROOT, ".ferry", "kafka-libs")),
});
