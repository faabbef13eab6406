import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { localPostgresUrl } from "../postgres/server.ts";
import { repository, type UpConfig } from "./config.ts";
import type { Keys } from "./keys.ts";

/** One process of the platform: how it is started, and how one sees that it is ready. */
export interface ProcessPlan {
  name: string;
  /** File to run, from the repository's root. */
  entry: string;
  /** Ports that it listens on; all of them must be free before the first start. */
  ports: readonly number[];
  /** Where others find it, as "127.0.0.1:9102". */
  address: string;
  environment: Readonly<Record<string, string>>;
  /** "line": it prints {"ready":true}. "probe": GET /readyz answers 200 at this address. */
  ready: { kind: "line" } | { kind: "probe"; url: string };
  /** Processes of a higher stage stop before those of a lower one. */
  stage: number;
}

/** The services with their fixed gRPC ports (design, section 10). */
export const SERVICE_PORTS = {
  member: 9101,
  ledger: 9102,
  banking: 9103,
  transfer: 9104,
  payment: 9105,
  notify: 9107,
} as const;
export type ServiceName = keyof typeof SERVICE_PORTS;
export const SERVICE_NAMES = Object.keys(SERVICE_PORTS) as ServiceName[];

const PORTS = { edge: 8080, broker: 9092, postgres: 5433, bank: 9200, bankControl: 9201 };
const PROBE_OFFSET = 1_000;

const loopback = (port: number) => `127.0.0.1:${port}`;

/** The address of one service's database on a server. */
export function databaseOf(config: UpConfig, service: ServiceName): string {
  if (config.databaseUrl === "") {
    const directory = join(config.dataDirectory, "postgres");
    return localPostgresUrl({ directory, port: portOf(config, "postgres"), database: `ferry_${service}` });
  }
  const url = new URL(config.databaseUrl);
  url.pathname = `/ferry_${service}`;
  return url.href;
}

/** The port of a process: by its own variable, as FERRY_LEDGER_PORT, else the fixed one with the offset. */
export function portOf(config: UpConfig, name: ServiceName | keyof typeof PORTS): number {
  const variable = name === "bankControl" ? "FERRY_BANK_CONTROL_PORT" : `FERRY_${name.toUpperCase()}_PORT`;
  const fixed = { ...SERVICE_PORTS, ...PORTS }[name] + config.portOffset;
  return Number(config.environment[variable] || fixed);
}

/** What stands in for the outside on this machine; each is left out when the environment names one to use instead. */
export function backingProcesses(config: UpConfig): ProcessPlan[] {
  const { dataDirectory } = config;
  const local = (
    name: "postgres" | "broker" | "bank",
    environment: Record<string, string>,
    ...more: number[]
  ): ProcessPlan => {
    const port = portOf(config, name);
    const directory = join(dataDirectory, name);
    mkdirSync(directory, { recursive: true });
    const prefix = `FERRY_${name.toUpperCase()}`;
    return {
      name,
      entry: `local/${name}/main.ts`,
      ports: [port, ...more],
      address: loopback(port),
      environment: { [`${prefix}_PORT`]: String(port), [`${prefix}_DIR`]: directory, ...environment },
      ready: { kind: "line" },
      stage: 0,
    };
  };
  const control = portOf(config, "bankControl");
  return [
    ...(config.databaseUrl === "" ? [local("postgres", ONE_ARENA)] : []),
    ...(config.kafkaBrokers.length === 0 ? [local("broker", ONE_ARENA)] : []),
    ...(config.bankUrl === ""
      ? [local("bank", { ...ONE_ARENA, FERRY_BANK_CONTROL_PORT: String(control) }, control)]
      : []),
  ];
}

/** The platform itself: what production runs too. */
export function platformProcesses(config: UpConfig, keys: Keys): ProcessPlan[] {
  const shared: Record<string, string> = {
    FERRY_PORT_OFFSET: String(config.portOffset),
    FERRY_COMMIT: config.commit,
    FERRY_BUILD_TIME: config.buildTime,
    FERRY_SERVICE_TRUST_FILE: keys.trustFile,
    KAFKA_BROKERS: config.kafkaBrokers.join(",") || loopback(portOf(config, "broker")),
    BANK_URL: config.bankUrl || `http://${loopback(portOf(config, "bank"))}`,
    ...Object.fromEntries(
      SERVICE_NAMES.map((name) => [`FERRY_${name.toUpperCase()}_URL`, `http://${loopback(portOf(config, name))}`]),
    ),
  };
  const service = (name: ServiceName): ProcessPlan => {
    const port = portOf(config, name);
    return {
      name,
      entry: `services/${name}/main.ts`,
      ports: [port, port + PROBE_OFFSET],
      address: loopback(port),
      environment: {
        ...shared,
        ...(BUSY.has(name) ? {} : ONE_ARENA),
        [`FERRY_${name.toUpperCase()}_PORT`]: String(port),
        DATABASE_URL: databaseOf(config, name),
        FERRY_SERVICE_KEY_FILE: keys.fileOf(name),
        ...(name === "member" ? { FERRY_MEMBER_KEY_SECRET: keys.memberSecret } : {}),
        ...(name === "notify" ? { FERRY_NOTIFY_KEY_SECRET: keys.notifySecret } : {}),
      },
      ready: { kind: "probe", url: `http://${loopback(port + PROBE_OFFSET)}/readyz` },
      stage: 1,
    };
  };
  const edgePort = portOf(config, "edge");
  const edge: ProcessPlan = {
    name: "edge",
    entry: "edge/main.ts",
    ports: [edgePort, edgePort + PROBE_OFFSET],
    address: loopback(edgePort),
    environment: { ...shared, FERRY_EDGE_PORT: String(edgePort), FERRY_SERVICE_KEY_FILE: keys.fileOf("edge") },
    ready: { kind: "probe", url: `http://${loopback(edgePort)}/readyz` },
    stage: 2,
  };
  return [...SERVICE_NAMES.map(service), edge];
}

/** Processes in which each transfer waits: what it holds is copied by every collection of the young heap that it outlives. */
const BUSY = new Set(["edge", "transfer", "banking", "ledger"]);
const YOUNG_MIB = 4;
/** What they leave behind is buffers outside of the heap, or little: it is to be seen before it has come to much. */
const FRUGAL = new Set(["broker", "notify", "payment"]);
const FRUGAL_YOUNG_MIB = 1;
/**
 * Of the C library's memory (glibc): each thread of Node's would keep an arena of its own, 10 MB of a process, to
 * spare a lock that threads which do little hardly ever meet at.
 */
const ONE_ARENA = { MALLOC_ARENA_MAX: "1" };
/** Measured at 256 in flight: 0.2 ms of CPU less for a transfer than with 8 MiB; 64 MiB gave no more. */
const BUSY_YOUNG_MIB = 32;
/**
 * A busy heap may double between two collections of it. With a limit of 256 MiB V8 itself lets it grow by a third
 * (`--trace-gc`: from 40 MB to 54): at full speed transfer's whole heap was then marked twice a second, for what lives
 * as long as a request. Three times the heap gave no more. The others make so little garbage that they would grow for
 * longer than ten minutes.
 */
const BUSY_GROWTH = "--heap-growing-percent=100";

/**
 * V8's collector for processes that share few cores: with `BUSY_GROWTH` 12.6 % ± 1.3 less CPU for a transfer than with
 * its defaults, by `npm run bench -- --beside`. `perf` had seen a fifth of all CPU in V8's helper threads.
 */
const COLLECTOR = [
  // One thread beside the main one instead of four, and no work divided among them but marking, which takes 70 MB more
  // at rest without: cores that are busy anyway are not there to help. 2.7 % ± 1.6 of the 12.6.
  "--v8-pool-size=1",
  "--no-parallel-scavenge",
  "--no-parallel-compaction",
  "--no-parallel-pointer-update",
  "--no-concurrent-sweeping",
  "--no-concurrent-array-buffer-sweeping",
];

/**
 * Arguments that a process of ours is run with: small heaps, since all of them share one machine.
 *
 * @param name As "ledger".
 */
export function nodeArguments(name: string): string[] {
  return [
    "--disable-warning=ExperimentalWarning",
    "--max-old-space-size=256",
    `--max-semi-space-size=${BUSY.has(name) ? BUSY_YOUNG_MIB : FRUGAL.has(name) ? FRUGAL_YOUNG_MIB : YOUNG_MIB}`,
    ...(BUSY.has(name) ? [BUSY_GROWTH] : []),
    ...COLLECTOR,
  ];
}

export function entryFile(plan: ProcessPlan): string {
  return join(repository, plan.entry);
}
