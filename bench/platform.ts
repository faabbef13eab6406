import { Platform } from "../test/support/platform.ts";
import type { Roots } from "./measure/cpu.ts";

/** A platform under measurement: its own processes, data and ports. */
export interface BenchPlatform {
  /** Where its edge, its databases and its bank are. */
  platform: Platform;
  /** Every process that counts for it: launcher, PostgreSQL, broker (or Apache Kafka), bank, services, edge. */
  roots: Roots;
}

export interface PlatformSetUp {
  environment: Record<string, string>;
  /** Processes that belong to it but that its launcher does not start, as an Apache Kafka. */
  beside: Roots;
  /** The folder of another checkout to start. Default: this one. */
  repository?: string | undefined;
}

/** What a Platform of the tests raises: here it is as one's own environment says, and by default as it ships. */
const AS_IT_SHIPS = { FERRY_MAX_LOOP_LAG_MS: process.env.FERRY_MAX_LOOP_LAG_MS ?? "" };

/** Starts a fresh platform, exactly as `npm start` does. */
export async function startBenchPlatform({ environment, beside, repository }: PlatformSetUp): Promise<BenchPlatform> {
  const platform = await Platform.start({ environment: { ...AS_IT_SHIPS, ...environment }, repository });
  const { pid, processes } = platform.readUpFile();
  const started = processes.flatMap(({ name, pid }) => (pid === null ? [] : [[name, pid] as const]));
  return { platform, roots: { launcher: pid, ...Object.fromEntries(started), ...beside } };
}
