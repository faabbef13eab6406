import { calibrationOf, REFERENCE_MS } from "../measure/calibration.ts";
import { type BenchReport, emptyMeasured, type ScenarioReport } from "../scenario.ts";

/** A scenario's report on a machine that is so many times slower than the reference. */
export function reportOf(factor: number, changes: Partial<ScenarioReport> = {}): BenchReport {
  const calibrated = REFERENCE_MS * factor;
  return {
    format: "ferry-bench-1",
    startedAt: "2026-11-21T08:00:00.000Z",
    node: "v26.9.0",
    commit: "c0ffee",
    machine: { cpus: 2, model: "a <fast> one", memoryMiB: 8_192, kernel: "Linux 6" },
    scenarios: [
      {
        scenario: "bank-transfers",
        summary: "Transfers.",
        unit: "transfer",
        startedAt: "2026-11-21T08:00:00.000Z",
        ...emptyMeasured(),
        count: 20_000,
        transfersPerSecond: 1_000,
        cpuMsPerTransfer: 1.6,
        p50Ms: 200,
        p99Ms: 400,
        cpuMsPerTransferByProcess: { edge: 1, "postgres:ledger": 0.6 },
        calibration: calibrationOf(calibrated, calibrated),
        node: "v26.9.0",
        commit: "c0ffee",
        options: { seconds: 20 },
        ...changes,
      },
    ],
  };
}
