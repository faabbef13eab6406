import {
  address,
  hostList,
  portVariable,
  shifted,
  urlVariable,
  type Variable,
  wholeNumber,
} from "@ferry/platform/config";
import { buildVariables } from "@ferry/platform/telemetry";
import { z } from "zod";
import { type KafkaSecurityConfig, kafkaSecurityVariables } from "./kafka-security.ts";

/** Where the authority (the service that issues tokens) is found. */
export const authorityUrl = urlVariable("FERRY_MEMBER_URL", 9101, "where the member service is, whose tokens are good");

const file = z.string().min(1);

/** What a process needs to call others and to be called: its own key, and the public keys of the rest. */
export const identityVariables = {
  serviceKeyFile: { env: "FERRY_SERVICE_KEY_FILE", schema: file, help: "this service's private key, ES256, PEM file" },
  serviceTrustFile: { env: "FERRY_SERVICE_TRUST_FILE", schema: file, help: "public keys of all services, JWKS file" },
  // In local mode plaintext may go over loopback; in production there is none.
  tlsCertFile: {
    env: "FERRY_TLS_CERT_FILE",
    schema: z.string(),
    localFallback: "",
    help: "certificate for internal TLS, PEM file",
  },
  tlsKeyFile: { env: "FERRY_TLS_KEY_FILE", schema: z.string(), localFallback: "", help: "its private key, PEM file" },
  tlsCaFile: {
    env: "FERRY_TLS_CA_FILE",
    schema: z.string(),
    localFallback: "",
    help: "authority of the others' certificates, PEM file",
  },
} satisfies Record<string, Variable<string>>;

/**
 * The variables that every service has.
 *
 * @param name As "ledger". The port variable is FERRY_LEDGER_PORT.
 * @param port Its fixed gRPC port (design, section 10); probes listen 1,000 above it.
 */
export function serviceVariables(name: string, port: number) {
  return {
    port: portVariable(`FERRY_${name.toUpperCase()}_PORT`, port, `gRPC port of ${name}; its probes are 1,000 above`),
    host: { env: "FERRY_HOST", schema: z.string(), fallback: "127.0.0.1", help: "address that servers listen on" },
    databaseUrl: {
      env: "DATABASE_URL",
      schema: address("postgres", "postgresql"),
      localFallback: (env) => `postgres://ferry@127.0.0.1:${shifted(5433)(env)}/ferry_${name}`,
      help: "the service's own PostgreSQL database",
      secret: true,
    },
    databaseConnections: {
      env: "FERRY_DATABASE_CONNECTIONS",
      schema: wholeNumber(2, 200),
      fallback: "8",
      help: "connections in the pool of a service",
    },
    kafkaBrokers: {
      env: "KAFKA_BROKERS",
      schema: hostList,
      localFallback: (env) => `127.0.0.1:${shifted(9092)(env)}`,
      help: "Kafka brokers, host:port, several separated by commas",
    },
    ...kafkaSecurityVariables,
    authorityUrl,
    ...identityVariables,
    ...buildVariables,
  } satisfies Record<string, Variable<unknown>>;
}

/** Of services that own sagas. */
export const parkAfterVariable: Variable<number> = {
  env: "FERRY_PARK_AFTER_MS",
  schema: wholeNumber(1_000, 604_800_000),
  fallback: (env) => (env.FERRY_ENV === "production" ? "86400000" : "30000"),
  help: "how long a step is retried before its saga waits for an operator, in ms; default 24 h, 30 s in local mode",
};

/** Values of `serviceVariables`. */
export interface ServiceConfig extends KafkaSecurityConfig {
  port: number;
  host: string;
  databaseUrl: string;
  databaseConnections: number;
  kafkaBrokers: string[];
  authorityUrl: string;
  serviceKeyFile: string;
  serviceTrustFile: string;
  tlsCertFile: string;
  tlsKeyFile: string;
  tlsCaFile: string;
  commit: string;
  buildTime: string;
  logLevel: string;
}
