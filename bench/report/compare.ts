import type { BenchReport, ScenarioReport } from "../scenario.ts";
import { decimals, table, whole } from "./text.ts";

/** CPU for one transfer as it would be on the reference machine, so that figures of different hours can be held side by side. */
export const normalizedCpuMs = ({ cpuMsPerTransfer, calibration }: ScenarioReport): number =>
  cpuMsPerTransfer / calibration.factor;

/** How much a figure changed, in percent with its sign; "-" where there was none before. */
export function change(before: number, now: number): string {
  if (!(before > 0)) return "-";
  const percent = (now / before - 1) * 100;
  return `${percent >= 0 ? "+" : ""}${decimals(percent, 1)} %`;
}

const FIGURES: [name: string, read: (report: ScenarioReport) => number, show: (figure: number) => string][] = [
  ["per second", ({ transfersPerSecond }) => transfersPerSecond, whole],
  ["CPU ms, normalized", normalizedCpuMs, (figure) => decimals(figure, 3)],
  ["CPU ms, as measured", ({ cpuMsPerTransfer }) => cpuMsPerTransfer, (figure) => decimals(figure, 3)],
  ["p50 ms", ({ p50Ms }) => p50Ms, (figure) => decimals(figure, 1)],
  ["p99 ms", ({ p99Ms }) => p99Ms, (figure) => decimals(figure, 1)],
  ["calibration ms", ({ calibration }) => calibration.cpuMs, (figure) => decimals(figure, 1)],
];

/** A table of two reports, scenario by scenario; one that only one of them has is named. */
export function compareReports(before: BenchReport, now: BenchReport): string[] {
  const lines: string[] = [`against ${before.startedAt}, commit ${before.commit}:`];
  const rows: string[][] = [["", "before", "now", "change"]];
  for (const report of now.scenarios) {
    const earlier = before.scenarios.find(({ scenario }) => scenario === report.scenario);
    if (earlier === undefined) {
      lines.push(`  the earlier report has no ${report.scenario}`);
      continue;
    }
    for (const [name, read, show] of FIGURES)
      rows.push([
        `${report.scenario}, ${name}`,
        show(read(earlier)),
        show(read(report)),
        change(read(earlier), read(report)),
      ]);
  }
  return rows.length === 1 ? lines : [...lines, ...table(rows).map((line) => `  ${line}`)];
}
