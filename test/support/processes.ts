// Figures of a tree of processes, from /proc. Linux only: elsewhere there is none, and tests say so.
import { existsSync, readdirSync, readFileSync } from "node:fs";

export const hasProc = existsSync("/proc/self/smaps_rollup");

export interface ProcessStat {
  pid: number;
  parent: number;
  /** Processor time of the process and of its children that have ended, in ticks of 10 ms. */
  ticks: number;
}

/** What follows the name in a process's line (proc_pid_stat(5)); undefined when it has ended. */
function readFields(pid: number): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything; the rest is numbers, but for the state.
    return text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
  } catch {
    return undefined;
  }
}

function readStat(pid: number): ProcessStat | undefined {
  const fields = readFields(pid);
  if (fields === undefined) return undefined;
  return { pid, parent: fields[1]!, ticks: [11, 12, 13, 14].reduce((sum, index) => sum + fields[index]!, 0) };
}

const SCHED_BATCH = 3;

/** Whether a process is scheduled as a batch (sched(7)); undefined when it has ended. */
export function isBatch(pid: number): boolean | undefined {
  const fields = readFields(pid);
  return fields === undefined ? undefined : fields[38] === SCHED_BATCH;
}

/** Every process of the machine. */
export function readProcesses(): ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

/** A process and all that descend from it. */
export function treeOf(root: number): ProcessStat[] {
  const all = readProcesses();
  const children = Map.groupBy(all, ({ parent }) => parent);
  const tree = all.filter(({ pid }) => pid === root);
  for (let index = 0; index < tree.length; index++) tree.push(...(children.get(tree[index]!.pid) ?? []));
  return tree;
}

/** Processor time that a tree of processes has used, in milliseconds. */
export function cpuMsOf(root: number): number {
  return treeOf(root).reduce((sum, { ticks }) => sum + ticks * 10, 0);
}

/** How often a tree of processes went to sleep, and so was woken up, since each of its threads began. */
export function wakeUpsOf(root: number): number {
  return treeOf(root)
    .flatMap(({ pid }) => threadsOf(pid))
    .reduce((sum, folder) => sum + wakeUpsOfThread(folder), 0);
}

/** Folders in /proc of the threads of a process; none when it has ended. */
function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
  } catch {
    return [];
  }
}

/** 0 when it has ended: that must not hide how often the others were woken up. */
function wakeUpsOfThread(folder: string): number {
  try {
    const status = readFileSync(`${folder}/status`, "utf8");
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The proportional set size of one process in bytes: what it shares counts in parts. 0 when it has ended. */
export function proportionalSizeOf(pid: number): number {
  try {
    const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return Number(pss ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

/** Memory of a tree of processes: the sum of proportional set sizes, in bytes. */
export function memoryOf(root: number): number {
  return treeOf(root).reduce((sum, { pid }) => sum + proportionalSizeOf(pid), 0);
}
