import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { address, ConfigError, type Environment, hostList, loadConfig, wholeNumber } from "@ferry/platform/config";
import { z } from "zod";

/** The folder that holds package.json. */
export const repository = resolve(import.meta.dirname, "../..");

export const upVariables = {
  dataDirectory: {
    env: "FERRY_DATA_DIR",
    schema: z.string(),
    fallback: join(repository, ".ferry"),
    help: "folder for data, keys and logs",
  },
  portOffset: {
    env: "FERRY_PORT_OFFSET",
    schema: wholeNumber(0, 50_000),
    fallback: "0",
    help: "added to every port, so that two platforms can run side by side",
  },
  databaseUrl: {
    env: "DATABASE_URL",
    schema: z.union([z.literal(""), address("postgres", "postgresql")]),
    fallback: "",
    help: "a PostgreSQL to use instead of the local one: any database on it; Ferry makes its own beside it",
    secret: true,
  },
  kafkaBrokers: {
    env: "KAFKA_BROKERS",
    schema: z.union([z.literal("").transform((): string[] => []), hostList]),
    fallback: "",
    help: "Kafka brokers to use instead of the local one, host:port",
  },
  bankUrl: {
    env: "BANK_URL",
    schema: z.union([z.literal(""), address("http", "https")]),
    fallback: "",
    help: "a bank to use instead of the local one",
  },
  commit: {
    env: "FERRY_COMMIT",
    schema: z.string(),
    fallback: () => git("rev-parse", "HEAD"),
    help: "commit to report; default: that of the checkout",
  },
  buildTime: {
    env: "FERRY_BUILD_TIME",
    schema: z.string(),
    fallback: () => git("log", "-1", "--format=%cI"),
    help: "build time to report; default: that of the commit",
  },
} as const;

function git(...args: string[]): string {
  try {
    return execFileSync("git", args, { cwd: repository, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown"; // No git, or no checkout: an archive of the source.
  }
}

export interface UpConfig {
  dataDirectory: string;
  portOffset: number;
  databaseUrl: string;
  kafkaBrokers: string[];
  bankUrl: string;
  commit: string;
  buildTime: string;
  /** Handed on to every process, so that settings like FERRY_LOG_LEVEL reach them. */
  environment: Environment;
}

/** @throws ConfigError that names every bad variable. */
export function readUpConfig(environment: Environment = process.env): UpConfig {
  if (environment.FERRY_ENV === "production")
    throw new ConfigError([
      "FERRY_ENV is production: npm start is for one machine; deploy the processes by themselves",
    ]);
  const config = loadConfig(upVariables, environment);
  return { ...config, dataDirectory: resolve(config.dataDirectory), environment };
}

/** One line a variable, for --help. */
export function describeVariables(): string {
  return Object.values(upVariables)
    .map(({ env, help }) => `  ${env.padEnd(20)} ${help}`)
    .join("\n");
}
