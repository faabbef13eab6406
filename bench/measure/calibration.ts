import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Calibration } from "../scenario.ts";

/**
 * CPU time of the work on the machine of the figures that we publish (2 cores of a virtual machine at
 * 2.6 GHz, Node 26), quiet: the middle of many runs.
 */
export const REFERENCE_MS = 95;

/** From here on a machine counts as slow, and a transfer may cost 2 ms instead of 1.6: the same ratio. */
export const SLOW_FACTOR = 1.25;

/** What the work gives; another result means that another piece of work was timed. */
export const WORK_RESULT = "13dd908956f964c7ec46b9689de76288e698d1eb96a3aa17a3536f824fee697f";

/** Times the fixed piece of work in a process of its own. @returns its CPU time in milliseconds. */
export async function calibrate(): Promise<number> {
  const file = join(import.meta.dirname, "calibration-work.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env: { PATH: "" } });
  const { cpuMs, result } = JSON.parse(stdout) as { cpuMs: number; result: string };
  if (result !== WORK_RESULT) throw new Error(`the calibration computed ${result}, not ${WORK_RESULT}`);
  return cpuMs;
}

export function calibrationOf(beforeMs: number, afterMs: number): Calibration {
  const cpuMs = (beforeMs + afterMs) / 2;
  const factor = cpuMs / REFERENCE_MS;
  return { beforeMs, afterMs, cpuMs, referenceMs: REFERENCE_MS, factor, slow: factor >= SLOW_FACTOR };
}
