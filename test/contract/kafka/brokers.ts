import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { startBroker } from "../../../local/broker/server.ts";
import { kafkaTestConfig } from "./config.ts";
import { findApacheKafka, type RunningKafka } from "./kafka.ts";

export interface AvailableBroker {
  readonly name: "ferry" | "apache-kafka";
  /** Starts one without data; each call starts another. */
  start(): Promise<RunningKafka>;
}

/** Where it can be had and is wanted. */
export const apacheKafka = kafkaTestConfig.wanted ? await findApacheKafka() : undefined;

/**
 * The brokers that a contract suite runs against: our own always; Apache Kafka where it can be had and
 * FERRY_TEST_KAFKA is 1.
 */
export function availableBrokers(): AvailableBroker[] {
  const ferry: AvailableBroker = { name: "ferry", start: startFerryBroker };
  return apacheKafka === undefined ? [ferry] : [ferry, { name: "apache-kafka", start: () => apacheKafka.start() }];
}

async function startFerryBroker(): Promise<RunningKafka> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ferry-broker-"));
  const broker = await startBroker({ directory, port: 0 });
  return {
    brokers: `127.0.0.1:${broker.port}`,
    async stop() {
      await broker.close();
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
