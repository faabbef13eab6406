import { ConfigError, type Variable } from "@ferry/platform/config";
import type { KafkaBusOptions } from "@ferry/platform/events";
import { z } from "zod";
import { isLoopback, readPem } from "./private-links.ts";

const optional = (env: string, help: string) => ({ env, schema: z.string(), fallback: "", help });

/** How a process speaks to the brokers: in plaintext and without a log-in unless it is told otherwise. */
export const kafkaSecurityVariables = {
  kafkaTls: {
    env: "KAFKA_TLS",
    schema: z.enum(["on", "off"]),
    fallback: "off",
    help: "on: TLS to the Kafka brokers",
  },
  kafkaCaFile: optional(
    "KAFKA_CA_FILE",
    "authority of the brokers' certificates, PEM file; empty: those that Node knows",
  ),
  kafkaCertFile: optional("KAFKA_CERT_FILE", "this process's certificate for the brokers, PEM file; for mutual TLS"),
  kafkaKeyFile: optional("KAFKA_KEY_FILE", "its private key, PEM file"),
  kafkaSaslMechanism: {
    env: "KAFKA_SASL_MECHANISM",
    schema: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
    fallback: "scram-sha-512",
    help: "how KAFKA_USERNAME logs in: plain, scram-sha-256 or scram-sha-512",
  },
  kafkaUsername: optional("KAFKA_USERNAME", "name that the process logs in with at the brokers; empty: no log-in"),
  kafkaPassword: { ...optional("KAFKA_PASSWORD", "its password"), secret: true },
} satisfies Record<string, Variable<string>>;

/** Values of `kafkaSecurityVariables`. */
export interface KafkaSecurityConfig {
  kafkaTls: "on" | "off";
  kafkaCaFile: string;
  kafkaCertFile: string;
  kafkaKeyFile: string;
  kafkaSaslMechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  kafkaUsername: string;
  kafkaPassword: string;
}

const FILES = {
  kafkaCaFile: "KAFKA_CA_FILE",
  kafkaCertFile: "KAFKA_CERT_FILE",
  kafkaKeyFile: "KAFKA_KEY_FILE",
} as const;

/** What in the configuration does not go together, each in a sentence. */
function problemsOf(config: KafkaSecurityConfig, brokers: readonly string[]): string[] {
  const problems: string[] = [];
  const { kafkaUsername: username, kafkaPassword: password } = config;
  if (username !== "" && password === "") problems.push("KAFKA_PASSWORD is missing: KAFKA_USERNAME logs in with it");
  if (username === "" && password !== "") problems.push("KAFKA_USERNAME is missing: KAFKA_PASSWORD is for its log-in");
  if ((config.kafkaCertFile === "") !== (config.kafkaKeyFile === ""))
    problems.push("KAFKA_CERT_FILE and KAFKA_KEY_FILE go together: one of them is missing");
  if (config.kafkaTls === "on") return problems;
  for (const [name, variable] of Object.entries(FILES))
    if (config[name as keyof typeof FILES] !== "") problems.push(`${variable} is given, and KAFKA_TLS is off`);
  const hostOf = (broker: string) => broker.slice(0, broker.lastIndexOf(":"));
  const far = brokers.find((broker) => !isLoopback(hostOf(broker)));
  if (username !== "" && far !== undefined)
    problems.push(`KAFKA_TLS is off, and KAFKA_USERNAME would log in at ${far} in plaintext: set it to on`);
  return problems;
}

/**
 * Reads how the brokers are spoken to, as `createKafkaBus` takes it. Files are read once, at the start.
 *
 * @param brokers As "10.0.0.7:9093". A password goes in plaintext to loopback alone.
 * @throws ConfigError that names every variable that is missing, does not go with the others or names no file.
 */
export async function readKafkaSecurity(
  config: KafkaSecurityConfig,
  brokers: readonly string[],
): Promise<Pick<KafkaBusOptions, "ssl" | "sasl">> {
  const problems = problemsOf(config, brokers);
  if (problems.length > 0) throw new ConfigError(problems);
  const { kafkaSaslMechanism: mechanism, kafkaUsername: username, kafkaPassword: password } = config;
  const sasl = username === "" ? {} : { sasl: { mechanism, username, password } as KafkaBusOptions["sasl"] };
  if (config.kafkaTls === "off") return sasl;
  const [ca, cert, key] = await Promise.all(
    (["kafkaCaFile", "kafkaCertFile", "kafkaKeyFile"] as const).map((name) =>
      config[name] === "" ? undefined : readPem(FILES[name], config[name]),
    ),
  );
  return { ...sasl, ssl: { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert, key }) } };
}
