import { readFileSync } from "node:fs";
import { type ProcessStat, readProcesses } from "../../test/support/processes.ts";

/** The processes to look at: a name and the process id of each. Their descendants count for them. */
export type Roots = Readonly<Record<string, number>>;

const MS_PER_TICK = 10;

/** A process and the name that it counts for. */
export interface NamedProcess extends ProcessStat {
  name: string;
}

const commandLines = new Map<number, string>();
const MAX_COMMAND_LINES = 10_000;

/** Read once for each process: the first words of a PostgreSQL backend's title stay as they are. */
function commandLineOf(pid: number): string {
  let line = commandLines.get(pid);
  if (line === undefined) {
    if (commandLines.size >= MAX_COMMAND_LINES) commandLines.clear();
    try {
      line = readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
    } catch {
      line = ""; // It ended.
    }
    commandLines.set(pid, line);
  }
  return line;
}

/** A backend of PostgreSQL counts for the service whose database it serves, the rest for the server. */
function detailOf(root: string, pid: number): string {
  if (root !== "postgres") return root;
  const service = /^postgres: \w+ ferry_(\w+) /.exec(commandLineOf(pid))?.[1];
  return `postgres:${service ?? "server"}`;
}

/**
 * Every process that descends from one of the roots, each with the name of the nearest root above it.
 * PostgreSQL's (the root "postgres") are told apart by database, as "postgres:ledger" and "postgres:server".
 */
export function processesOf(roots: Roots, all: readonly ProcessStat[] = readProcesses()): NamedProcess[] {
  const byPid = new Map(all.map((process) => [process.pid, process]));
  const names = new Map(Object.entries(roots).map(([name, pid]) => [pid, name]));
  const rootOf = (pid: number): string | undefined => {
    for (let at = byPid.get(pid); at !== undefined; at = byPid.get(at.parent)) {
      const name = names.get(at.pid);
      if (name !== undefined) return name;
    }
    return undefined;
  };
  return all.flatMap((process) => {
    const root = rootOf(process.pid);
    return root === undefined ? [] : [{ ...process, name: detailOf(root, process.pid) }];
  });
}

/** CPU time used so far, in milliseconds by name: user and system, of ended children too, to 10 ms for each process. */
export function readCpuMs(roots: Roots): Record<string, number> {
  const used: Record<string, number> = Object.fromEntries(Object.keys(roots).map((name) => [name, 0]));
  if ("postgres" in used) delete used.postgres;
  for (const { name, ticks } of processesOf(roots)) used[name] = (used[name] ?? 0) + ticks * MS_PER_TICK;
  return used;
}

/**
 * CPU time between two readings, by name. What a backend of PostgreSQL had used before it ended moves to
 * its server, so a name alone may be a little off, down to below zero; the sum is right.
 */
export function cpuBetween(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries([...names].map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));
}

export const sumOf = (figures: Record<string, number>): number =>
  Object.values(figures).reduce((sum, figure) => sum + figure, 0);

/** Ticks of the whole machine since it started (proc_stat(5)). */
export interface MachineTicks {
  idle: number;
  steal: number;
  total: number;
}

export function readMachineTicks(text = readFileSync("/proc/stat", "utf8")): MachineTicks {
  // user, nice, system, idle, iowait, irq, softirq, steal; guest times are in user already.
  const ticks = text.split("\n")[0]!.trim().split(/\s+/).slice(1, 9).map(Number);
  return {
    idle: ticks[3]! + ticks[4]!,
    steal: ticks[7] ?? 0,
    total: ticks.reduce((sum, count) => sum + count, 0),
  };
}

/** Percent of all cores between two readings. */
export function machineBetween(before: MachineTicks, after: MachineTicks) {
  const total = Math.max(1, after.total - before.total);
  return {
    idlePercent: ((after.idle - before.idle) / total) * 100,
    stealPercent: ((after.steal - before.steal) / total) * 100,
  };
}
