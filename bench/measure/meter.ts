import type { MachineShare, ProcessSample } from "../scenario.ts";
import { cpuBetween, machineBetween, type Roots, readCpuMs, readMachineTicks, sumOf } from "./cpu.ts";
import { readMemoryMiB } from "./memory.ts";

const SAMPLE_EVERY_MS = 1_000;
/** Reading proportional sizes walks page tables, so it is done less often. */
const MEMORY_EVERY_SAMPLES = 5;
/** Ten minutes need 600; far more than any run. */
const MAX_SAMPLES = 20_000;

/** What processes used while a meter ran. */
export interface Metered {
  seconds: number;
  cpuMs: Record<string, number>;
  totalCpuMs: number;
  machine: MachineShare;
  samples: ProcessSample[];
  /** Microseconds of the monotonic clock, which V8's profiles use too. */
  window: { fromUs: number; toUs: number };
}

export interface Meter {
  /** Ends the measurement and gives what was used since the meter was started. */
  stop(): Metered;
}

const clockUs = () => Number(process.hrtime.bigint() / 1_000n);

/** Measures CPU and memory of processes from now on, with a sample each second for the plots. */
export function startMeter(roots: Roots): Meter {
  const startedAt = performance.now();
  const fromUs = clockUs();
  const machineBefore = readMachineTicks();
  const cpuBefore = readCpuMs(roots);
  const samples: ProcessSample[] = [{ atSeconds: 0, cpuPercent: {}, memoryMiB: readMemoryMiB(roots) }];
  let last = { atMs: startedAt, cpu: cpuBefore };

  function sample(): void {
    if (samples.length >= MAX_SAMPLES) return;
    const atMs = performance.now();
    const cpu = readCpuMs(roots);
    const used = cpuBetween(last.cpu, cpu);
    const tookMs = atMs - last.atMs;
    const cpuPercent = Object.fromEntries(
      Object.entries(used).map(([name, ms]) => [name, Math.max(0, (ms / tookMs) * 100)]),
    );
    const memory = samples.length % MEMORY_EVERY_SAMPLES === 0 ? { memoryMiB: readMemoryMiB(roots) } : {};
    samples.push({ atSeconds: (atMs - startedAt) / 1_000, cpuPercent, ...memory });
    last = { atMs, cpu };
  }

  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      const cpuMs = cpuBetween(cpuBefore, readCpuMs(roots));
      return {
        seconds: (performance.now() - startedAt) / 1_000,
        cpuMs,
        totalCpuMs: sumOf(cpuMs),
        machine: machineBetween(machineBefore, readMachineTicks()),
        samples,
        window: { fromUs, toUs: clockUs() },
      };
    },
  };
}
