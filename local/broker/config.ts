import * as z from "zod";
import { DEFAULT_OPTIONS } from "./options.ts";

const schema = z.object({
  /** 0 takes a free port; the line that says "ready" names it. */
  FERRY_BROKER_PORT: z.coerce.number().int().min(0).max(65_535).default(9092),
  FERRY_BROKER_DIR: z.string().min(1).default(".ferry/broker"),
  /** Without authentication it must not be reachable from elsewhere. */
  FERRY_BROKER_HOST: z.literal("127.0.0.1").default("127.0.0.1"),
  FERRY_BROKER_RETENTION_MS: z.coerce.number().int().min(-1).default(DEFAULT_OPTIONS.retentionMs),
  FERRY_BROKER_RETENTION_BYTES: z.coerce.number().int().min(-1).default(DEFAULT_OPTIONS.retentionBytes),
  FERRY_BROKER_FLUSH_MS: z.coerce.number().int().min(1).max(60_000).default(DEFAULT_OPTIONS.flushIntervalMs),
  FERRY_BROKER_AUTO_CREATE_TOPICS: z.stringbool().default(DEFAULT_OPTIONS.autoCreateTopics),
});

export interface BrokerConfig {
  readonly port: number;
  readonly directory: string;
  readonly host: string;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly flushIntervalMs: number;
  readonly autoCreateTopics: boolean;
}

/**
 * Reads the broker's configuration from the environment, once.
 *
 * @throws Error that names every variable that is wrong.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): BrokerConfig {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) throw new Error(`the broker's configuration is wrong:\n${z.prettifyError(parsed.error)}`);
  return Object.freeze({
    port: parsed.data.FERRY_BROKER_PORT,
    directory: parsed.data.FERRY_BROKER_DIR,
    host: parsed.data.FERRY_BROKER_HOST,
    retentionMs: parsed.data.FERRY_BROKER_RETENTION_MS,
    retentionBytes: parsed.data.FERRY_BROKER_RETENTION_BYTES,
    flushIntervalMs: parsed.data.FERRY_BROKER_FLUSH_MS,
    autoCreateTopics: parsed.data.FERRY_BROKER_AUTO_CREATE_TOPICS,
  });
}
