import { cpus } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { Load, type Phase } from "../../load.ts";
import { readArguments } from "../../options.ts";
import { type BenchPlatform, startBenchPlatform } from "../../platform.ts";
import { attribute, type Shares, scale } from "./attribute.ts";
import { PROFILABLE, Profiler } from "./profiler.ts";

/** What a transfer costs on a whole platform. Microseconds are of CPU for one transfer. */
export interface PlatformCosts {
  transfersPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  inFlight: number;
  driverCpuUs: number;
  /** By process: what each used by /proc, PostgreSQL by database as "postgres:ledger". */
  cpuUs: Record<string, number>;
  /** Of the Node processes, `cpuUs` by part. */
  parts: Record<string, Shares>;
  /** Percent of the machine that went to processes of others while it was measured: above a few, mistrust the figures. */
  othersPercent: number;
  /** Messages that a transfer put on the bus, by count of the broker. */
  messages: number;
  errors: number;
  findings: string[];
}

const ACCOUNTS = 128;
const [WARM_UP_SECONDS, MEASURED_SECONDS, AGAIN_SECONDS, PROFILED_SECONDS] = [7, 8, 1, 5];
/** Not Node, or without work of their own. */
const NOT_PROFILED = ["launcher", "postgres"];

async function countMessages(broker: string): Promise<number> {
  const admin = new Kafka({ clientId: "bench-costs", brokers: [broker], logLevel: logLevel.ERROR }).admin();
  await admin.connect();
  try {
    let count = 0;
    for (const topic of await admin.listTopics())
      for (const { high } of await admin.fetchTopicOffsets(topic)) count += Number(high);
    return count;
  } finally {
    await admin.disconnect();
  }
}

/** Profiles every Node process of a platform while work is done. @returns shares by process. */
async function profile(platform: BenchPlatform, work: () => Promise<unknown>): Promise<Record<string, Shares>> {
  const logs = join(platform.platform.dataDirectory, "logs");
  const profilers = new Map<string, Profiler>();
  for (const [name, pid] of Object.entries(platform.roots))
    if (!NOT_PROFILED.includes(name)) profilers.set(name, await Profiler.open(pid, join(logs, `${name}.log`)));
  for (const profiler of profilers.values()) await profiler.start();
  await work();
  const shares: Record<string, Shares> = {};
  for (const [name, profiler] of profilers) shares[name] = attribute(await profiler.stop(), name);
  return shares;
}

function costsOf({ figures, metered, aside }: Phase, shares: Record<string, Shares>) {
  const each = (ms: number) => (figures.done === 0 ? 0 : (ms * 1_000) / figures.done);
  const cpuUs = Object.fromEntries(Object.entries(metered.cpuMs).map(([name, ms]) => [name, each(ms)]));
  const ownPercent = ((metered.totalCpuMs + figures.driverCpuMs) / (metered.seconds * 1_000 * cpus().length)) * 100;
  return {
    othersPercent: Math.max(0, 100 - metered.machine.idlePercent - ownPercent),
    transfersPerSecond: figures.done / figures.seconds,
    p50Ms: figures.p50Ms,
    p99Ms: figures.p99Ms,
    driverCpuUs: each(figures.driverCpuMs),
    cpuUs,
    parts: Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, scale(share, cpuUs[name] ?? 0)])),
    errors: [figures, ...aside].reduce((sum, { failed, refused }) => sum + failed + refused.unavailable, 0),
  };
}

/**
 * Drives a fresh platform with transfers to another bank, twice: once to see what the processes use, and once
 * more with a profile of each, to see for what; so that taking the profile is in no figure.
 */
export async function measurePlatform(log: (line: string) => void): Promise<PlatformCosts> {
  const parsed = readArguments(["--accounts", String(ACCOUNTS)]);
  if (parsed.kind !== "run") throw new Error("the bench does not take its own defaults");
  const { options } = parsed;
  let platform: BenchPlatform | undefined;
  const startPlatform = async (environment: Record<string, string> = {}) => {
    platform = await startBenchPlatform({ environment: { ...PROFILABLE, ...environment }, beside: {} });
    return platform;
  };
  const interrupted = () => void platform?.platform.stop().finally(() => process.exit(130));
  process.once("SIGINT", interrupted);
  let load: Load | undefined;
  try {
    load = await Load.open({ options: { ...options, seconds: MEASURED_SECONDS }, log, startPlatform });
    const { platform: started } = load.platform;
    const plan = { mix: "bank", loop: { kind: "closed", inFlight: options.inFlight } } as const;
    const run = (name: string, warmUpSeconds: number, seconds: number) =>
      load!.measure({ name, plan, warmUpSeconds, seconds });
    const broker = started.addressOf(9092);
    const before = await countMessages(broker);
    const phase = await run("measured", WARM_UP_SECONDS, MEASURED_SECONDS);
    const transfers = [phase.figures, ...phase.aside].reduce((sum, one) => sum + one.transfers, 0);
    const messages = ((await countMessages(broker)) - before) / transfers;
    const shares = await profile(load.platform, () => run("profiled", AGAIN_SECONDS, PROFILED_SECONDS));
    const findings = await load.close();
    return { ...costsOf(phase, shares), inFlight: options.inFlight, messages, findings };
  } catch (error) {
    load?.abandon();
    throw error;
  } finally {
    process.off("SIGINT", interrupted);
    await platform?.platform.stop();
  }
}
