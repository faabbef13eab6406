import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Roots } from "./measure/cpu.ts";
import { decimals } from "./report/text.ts";

/** Of a profile as V8 writes it: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  /** Microseconds of the monotonic clock. */
  startTime: number;
  samples: number[];
  timeDeltas: number[];
}

/** A stretch of the monotonic clock, in microseconds. */
export interface ClockWindow {
  fromUs: number;
  toUs: number;
}

export interface SelfTime {
  /** "functionName folder/file.ts:12". */
  where: string;
  /** Of the time that the process was busy, 0 to 1. */
  share: number;
}

/** A sample each half millisecond: finer would change what it measures. */
const INTERVAL_US = 500;
const TOP = 10;

/** The variables that make every Node process write a profile into a folder when it ends. */
export function profileEnvironment(directory: string): Record<string, string> {
  mkdirSync(directory, { recursive: true });
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=${INTERVAL_US} --cpu-prof-dir=${directory}` };
}

/** Where the time of a profile went within a window: the functions that ran longest themselves, and how long it was busy. */
export function topSelfTimes(
  profile: CpuProfile,
  { fromUs, toUs }: ClockWindow,
  top = TOP,
): { busyMs: number; times: SelfTime[] } {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const selfUs = new Map<string, number>();
  let busyUs = 0;
  let atUs = profile.startTime;
  profile.samples.forEach((id, index) => {
    const tookUs = profile.timeDeltas[index] ?? 0;
    atUs += tookUs;
    const frame = frames.get(id);
    if (atUs < fromUs || atUs > toUs || frame === undefined || frame.functionName === "(idle)") return;
    busyUs += tookUs;
    const file = frame.url === "" ? "" : ` ${frame.url.split("/").slice(-2).join("/")}:${frame.lineNumber + 1}`;
    const where = `${frame.functionName || "(anonymous)"}${file}`;
    selfUs.set(where, (selfUs.get(where) ?? 0) + tookUs);
  });
  const times = [...selfUs].sort(([, a], [, b]) => b - a).slice(0, top);
  return { busyMs: busyUs / 1_000, times: times.map(([where, us]) => ({ where, share: us / busyUs })) };
}

/**
 * Gives each profile the name of its process, and says where the time went.
 *
 * @param window what was measured; the start and the end of the processes are left out.
 */
export function readProfiles(directory: string, roots: Roots, window: ClockWindow): string[] {
  if (!existsSync(directory)) return [`no profiles in ${directory}`];
  const lines = [`CPU profiles in ${directory}`];
  const files = readdirSync(directory);
  for (const [name, pid] of Object.entries(roots)) {
    // CPU.<date>.<time>.<pid>.<thread>.<sequence>.cpuprofile
    const file = files.find((found) => found.split(".")[3] === String(pid));
    if (file === undefined) continue;
    const named = join(directory, `${name}.cpuprofile`);
    renameSync(join(directory, file), named);
    const { busyMs, times } = topSelfTimes(JSON.parse(readFileSync(named, "utf8")), window);
    lines.push(
      `  ${name}, busy ${decimals(busyMs, 0)} ms of ${decimals((window.toUs - window.fromUs) / 1_000, 0)} ms:`,
    );
    for (const { where, share } of times) lines.push(`    ${decimals(share * 100, 1).padStart(5)} %  ${where}`);
  }
  return lines;
}
