import { sumOf } from "../measure/cpu.ts";
import type { DriverReport } from "./workload/program.ts";

/** A peer's figures, or why there are none. */
export type PeerResult = { peer: string; note: string } & (
  | {
      transfersPerSecond: number;
      p50Ms: number;
      p99Ms: number;
      /** All processes of the peer: its server, its program with the driver in it, PostgreSQL. */
      cpuMsPerTransfer: number;
      /** False when the ledger does not add up, or a transfer failed. */
      booksOk: boolean;
    }
  /** The reason, in a line. */
  | { unavailable: string }
);

/** What a driver's report says of a peer. A window without a single transfer gives no figures. */
export function toResult({ name, note }: { name: string; note: string }, report: DriverReport): PeerResult {
  const { transfers, windowSeconds, p50Ms, p99Ms, errors, firstError, faults } = report;
  if (transfers === 0)
    return { peer: name, note, unavailable: `It completed no transfer: ${firstError ?? "without an error"}` };
  return {
    peer: name,
    note,
    transfersPerSecond: transfers / windowSeconds,
    p50Ms,
    p99Ms,
    cpuMsPerTransfer: sumOf(report.cpuMs) / transfers,
    booksOk: faults.length === 0 && errors === 0,
  };
}

/** The reason of a failure in one line: an error's message, or what else was thrown. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\s+/g, " ").trim();
}

/** A line for a person. */
export function describe(result: PeerResult): string {
  if ("unavailable" in result) return `${result.peer} is left out: ${result.unavailable}`;
  const { peer, transfersPerSecond, p50Ms, p99Ms, cpuMsPerTransfer, booksOk } = result;
  const times = `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
  const books = booksOk ? "books hold" : "BOOKS DO NOT HOLD";
  return `${peer}: ${transfersPerSecond.toFixed(0)} transfers/s, ${times}, ${cpuMsPerTransfer.toFixed(2)} ms of CPU each, ${books}`;
}

/** Where a peer's CPU goes, and what went wrong: the lines behind its figures. */
export function explain({ transfers, cpuMs, othersCores, errors, firstError, faults }: DriverReport): string[] {
  const shares = Object.entries(cpuMs)
    .filter(([, ms]) => ms > 0)
    .map(([name, ms]) => `${name} ${(ms / Math.max(1, transfers)).toFixed(2)}`);
  return [
    `  CPU ms by process: ${shares.join(", ")}; other processes kept ${othersCores.toFixed(2)} cores busy`,
    ...(errors > 0 ? [`  ${errors} transfers failed, the first with: ${firstError}`] : []),
    ...faults.map((fault) => `  books: ${fault}`),
  ];
}
