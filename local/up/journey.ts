import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { FirstTransfer } from "./first-transfer.ts";

interface Hop {
  service: string;
  hop: string;
  name: string;
  startedAtMs: number;
  durationMs: number;
  traceId: string;
}

const KINDS: Record<string, string> = { rest: "REST ", grpc: "gRPC ", kafka: "Kafka", bank: "bank " };

/** The edge answers before it writes its log; a log is written shortly after. In milliseconds. */
const LOG_WAIT_MS = 5_000;
const LOOK_MS = 10;

/** Reads the hops of one trace from the logs of all processes, in the order in which they began. */
function hopsOf(traceId: string, logDirectory: string): Hop[] {
  const files = existsSync(logDirectory) ? readdirSync(logDirectory).filter((name) => name.endsWith(".log")) : [];
  return files
    .flatMap((name) => readFileSync(join(logDirectory, name), "utf8").split("\n"))
    .filter((line) => line.includes(traceId) && line.includes('"hop"'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Hop];
      } catch {
        return []; // The last line may still be on its way.
      }
    })
    .filter((entry) => entry.traceId === traceId)
    .sort((a, b) => a.startedAtMs - b.startedAtMs || b.durationMs - a.durationMs);
}

/** The hops of one trace once the edge has told of the first one, which it does last; after five seconds what there is. */
export async function wholeWayOf(traceId: string, logDirectory: string): Promise<Hop[]> {
  for (const untilMs = Date.now() + LOG_WAIT_MS; ; ) {
    const hops = hopsOf(traceId, logDirectory);
    if (hops.some(({ hop }) => hop === "rest") || Date.now() >= untilMs) return hops;
    await delay(LOOK_MS);
  }
}

/** The way of a transfer as lines: first what carried it from process to process, then its steps as a client sees them. */
export function describeJourney(transfer: FirstTransfer, hops: readonly Hop[]): string[] {
  const start = Math.min(...hops.map(({ startedAtMs }) => startedAtMs));
  const rows = hops.map(({ startedAtMs, durationMs, hop, service, name }) => {
    const at = `+${startedAtMs - start} ms`.padStart(9);
    return `  ${at}  ${KINDS[hop] ?? hop}  ${service.padEnd(9)} ${name} (${durationMs} ms)`;
  });
  const steps = transfer.steps.map(({ name, state, startTime, endTime, attempts }) => {
    const took =
      startTime === undefined || endTime === undefined ? "" : `${Date.parse(endTime) - Date.parse(startTime)} ms`;
    return `  ${name.padEnd(16)} ${state.replace("STEP_STATE_", "").toLowerCase().padEnd(8)} ${took.padStart(7)}  ${attempts} attempt${attempts === 1 ? "" : "s"}`;
  });
  return [
    `First transfer ${transfer.transferId}: ${transfer.state.replace("TRANSFER_STATE_", "")} in ${transfer.durationMs} ms. Its way, hop by hop:`,
    ...rows,
    "Its steps, as GET /v1/transfers/{transfer_id} tells them:",
    ...steps,
  ];
}
