import { findApacheKafka, type RunningApacheKafka } from "../test/contract/kafka/kafka.ts";

/** Starts the Apache Kafka that the tests use, without data. @throws when it cannot be had here; why was printed. */
export async function startApacheKafka(): Promise<RunningApacheKafka & { version: string }> {
  const found = await findApacheKafka();
  if (found === undefined) throw new Error("--kafka: Apache Kafka cannot be had here (see above)");
  return { ...(await found.start()), version: found.version };
}
