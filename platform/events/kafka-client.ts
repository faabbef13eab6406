import { FerryError, fromUnknown } from "@ferry/platform/errors";
import type { Logger } from "@ferry/platform/telemetry";
import type * as KafkaJs from "kafkajs";
import { Kafka, logLevel } from "./kafkajs-mends.ts";

export interface KafkaClientOptions {
  /** As "127.0.0.1:9092". */
  brokers: readonly string[];
  clientId: string;
  logger: Logger;
  /** TLS to the brokers. Default none. */
  ssl?: KafkaJs.KafkaConfig["ssl"];
  /** How the client names itself to the brokers. Default not at all. */
  sasl?: KafkaJs.KafkaConfig["sasl"];
}

/** kafkajs reports every attempt as an error; what matters comes back to us as a rejection and is logged there. */
function logInto(logger: Logger): KafkaJs.logCreator {
  return () =>
    ({ namespace, level, log }) => {
      const { message, error, groupId, broker, topic, partition, retryCount } = log;
      const fields = { part: namespace, error, groupId, broker, topic, partition, retryCount };
      if (level === logLevel.ERROR) logger.warn(fields, `kafka: ${message}`);
      else logger.debug(fields, `kafka: ${message}`);
    };
}

export function openClient({ brokers, clientId, logger, ssl, sasl }: KafkaClientOptions): KafkaJs.Kafka {
  return new Kafka({
    clientId,
    brokers: [...brokers],
    ssl,
    sasl,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2_000 },
    logLevel: logLevel.WARN,
    logCreator: logInto(logger),
  });
}

/** What the broker says about a member that is no longer what it thinks it is: it must join again. */
const MEMBERSHIP_ERRORS = new Set([
  ...["REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "NOT_COORDINATOR_FOR_GROUP"],
  ...["FENCED_INSTANCE_ID", "MEMBER_ID_REQUIRED"],
]);

export function isMembershipError(error: unknown): boolean {
  return error instanceof Error && "type" in error && MEMBERSHIP_ERRORS.has(String(error.type));
}

/** Makes an error of kafkajs one of ours: UNAVAILABLE when the same can succeed later, else INTERNAL. */
export function fromKafka(error: unknown): FerryError {
  if (!(error instanceof Error) || !error.name.startsWith("KafkaJS")) return fromUnknown(error);
  const innermost = innermostOf(error);
  const passing = error.name === "KafkaJSNumberOfRetriesExceeded" || innermost.retriable !== false;
  const unconnected = /Connection|BrokerNotFound|NoBroker|Timeout/.test(`${error.name} ${innermost.name}`);
  return passing || unconnected
    ? new FerryError("UNAVAILABLE", "the broker cannot take or give messages now", { cause: error })
    : new FerryError("INTERNAL", "the broker refused", { cause: error });
}

function innermostOf(error: Error): Error & { retriable?: boolean } {
  let inner: Error & { retriable?: boolean } = error;
  for (let depth = 0; depth < 8 && inner.cause instanceof Error; depth++) inner = inner.cause;
  return inner;
}
