// The process that holds a peer's program and drives it: gets a Job from its parent, sends a DriverReport
// back, and ends; with its parent too, however that comes about.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { cpuBetween, type MachineTicks, readCpuMs, readMachineTicks, sumOf } from "../../measure/cpu.ts";
import { findFaults } from "./books.ts";
import { drive } from "./drive.ts";
import type { DriverReport, Job, PeerProgram } from "./program.ts";
import { createSteps, openLedger } from "./steps.ts";
import { carryOut } from "./transfer.ts";

/** A peer that does not stop is left to the end of the process. */
const STOP_LIMIT_MS = 5_000;

const SECONDS_PER_TICK = 0.01;

/** CPU seconds that all other processes of the machine used between two readings. */
function othersBetween(before: MachineTicks, after: MachineTicks, ownMs: number): number {
  const busyTicks = ({ total, idle, steal }: MachineTicks) => total - idle - steal;
  return Math.max(0, (busyTicks(after) - busyTicks(before)) * SECONDS_PER_TICK - ownMs / 1_000);
}

async function work({ program, databaseUrl, settings, roots, inFlight, ...window }: Job): Promise<DriverReport> {
  const pool = openLedger(databaseUrl);
  await pool.query(readFileSync(new URL("schema.sql", import.meta.url), "utf8"));
  await pool.query("CHECKPOINT"); // So that none falls into the window.
  const { start }: PeerProgram = await import(program);
  const peer = await start({ pool, steps: createSteps(pool), carryOut, inFlight, settings });
  const all = { ...roots, program: process.pid };
  const readUsage = () => ({ cpuMs: readCpuMs(all), machine: readMachineTicks() });
  const driven = await drive({ peer, inFlight, ...window, readUsage });
  const faults = await findFaults(pool, driven.completed);
  await Promise.race([peer.stop(), pause(STOP_LIMIT_MS)]);
  const cpuMs = cpuBetween(driven.before.cpuMs, driven.after.cpuMs);
  return {
    transfers: driven.transfers,
    windowSeconds: driven.windowSeconds,
    p50Ms: driven.p50Ms,
    p99Ms: driven.p99Ms,
    cpuMs,
    othersCores: othersBetween(driven.before.machine, driven.after.machine, sumOf(cpuMs)) / driven.windowSeconds,
    errors: driven.errors,
    firstError: driven.firstError,
    faults,
  };
}

process.on("disconnect", () => process.exit(1));
process.once("message", async (job) => {
  const report = await work(job as Job);
  process.send?.(report, () => process.exit(0));
});
