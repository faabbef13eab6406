import type { BenchReport, ScenarioReport } from "../scenario.ts";
import { plot, type Series } from "./plot.ts";
import { decimals, whole } from "./text.ts";

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:1rem}svg{width:100%;height:auto}svg text{fill:currentColor;font:11px system-ui,sans-serif}
.bad{color:#c22}.key{display:inline-block;margin-right:1rem;font-size:12px}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.3em}pre{overflow:auto}`;

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign);

function row(cells: readonly (string | number)[], tag: "td" | "th" = "td"): string {
  return `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(String(cell))}</${tag}>`).join("")}</tr>`;
}

function overview(scenarios: readonly ScenarioReport[]): string {
  const head = row(
    [
      "scenario",
      "unit",
      "per second",
      "p50 ms",
      "p99 ms",
      "over 1 s",
      "CPU ms each",
      "of the reference machine",
      "driver CPU ms",
      "errors",
      "books",
    ],
    "th",
  );
  const rows = scenarios.map((one) =>
    row([
      one.scenario,
      one.unit,
      whole(one.transfersPerSecond),
      decimals(one.p50Ms, 1),
      decimals(one.p99Ms, 1),
      `${decimals(one.shareOverOneSecond * 100, 2)} %`,
      decimals(one.cpuMsPerTransfer, 3),
      decimals(one.cpuMsPerTransfer / one.calibration.factor, 3),
      decimals(one.driverCpuMsPerTransfer, 3),
      one.errors,
      one.booksOk ? "hold" : "DO NOT HOLD",
    ]),
  );
  return `<table>${head}${rows.join("")}</table>`;
}

/** One line for each process, from the samples that have a figure for it. */
function byProcess(
  one: ScenarioReport,
  read: (sample: ScenarioReport["samples"][number]) => Record<string, number> | undefined,
): Series[] {
  const names = [...new Set(one.samples.flatMap((sample) => Object.keys(read(sample) ?? {})))].sort();
  return names.map((name) => ({
    name,
    points: one.samples.flatMap((sample) => {
      const figure = read(sample)?.[name];
      return figure === undefined ? [] : [[sample.atSeconds, figure] as const];
    }),
  }));
}

function plots(one: ScenarioReport): string {
  const overTime = (read: (second: ScenarioReport["load"][number]) => number) =>
    one.load.map((second) => [second.second + 1, read(second)] as const);
  const drawn = [
    plot(`${one.unit}s per second`, [
      { name: "ended", points: overTime(({ done }) => done) },
      { name: "errors and refusals", points: overTime(({ errors }) => errors) },
    ]),
    plot("latency, ms", [
      { name: "p50", points: overTime(({ p50Ms }) => p50Ms) },
      { name: "p99", points: overTime(({ p99Ms }) => p99Ms) },
    ]),
    plot(
      "CPU by process, percent of one core",
      byProcess(one, ({ cpuPercent }) => cpuPercent),
    ),
    plot(
      "memory by process, MiB (proportional set size)",
      byProcess(one, ({ memoryMiB }) => memoryMiB),
    ),
  ];
  return `<div class="plots">${drawn.join("")}</div>`;
}

function section(one: ScenarioReport): string {
  const cpu = Object.entries(one.cpuMsPerTransferByProcess).sort(([, a], [, b]) => b - a);
  const { calibration, machine } = one;
  const errors = Object.entries(one.errorKinds).map(
    ([what, { count, examples }]) =>
      `<li>${count} × ${escapeHtml(what)}<pre>${escapeHtml(examples.join("\n"))}</pre></li>`,
  );
  return `<h2>${escapeHtml(one.scenario)}</h2><p>${escapeHtml(one.summary)}</p>${plots(one)}
<table>${row(["process", `CPU ms for one ${one.unit}`], "th")}${cpu.map(([name, ms]) => row([name, decimals(ms, 4)])).join("")}${row(["driver, beside", decimals(one.driverCpuMsPerTransfer, 4)])}</table>
<table>${Object.entries(one.facts)
    .map(([name, fact]) => row([name, typeof fact === "number" ? decimals(fact, 3) : String(fact)]))
    .join("")}</table>
<p>Machine: ${decimals(machine.idlePercent, 1)} % idle, ${decimals(machine.stealPercent, 1)} % stolen. Calibration: ${decimals(calibration.cpuMs, 1)} ms, ${decimals(calibration.factor, 2)} of the reference${calibration.slow ? ": slow" : ""}.</p>
${[...one.booksFindings].map((finding) => `<p class="bad">${escapeHtml(finding)}</p>`).join("")}${errors.length > 0 ? `<ul class="bad">${errors.join("")}</ul>` : ""}`;
}

function peers(report: BenchReport): string {
  if (report.peers === undefined) return "";
  const rows = report.peers.map((peer) =>
    peer.unavailable === undefined
      ? row([
          peer.peer,
          whole(peer.transfersPerSecond ?? 0),
          decimals(peer.p99Ms ?? 0, 0),
          decimals(peer.cpuMsPerTransfer ?? 0, 2),
          decimals(peer.timesOurs ?? 0, 1),
          peer.note,
        ])
      : row([peer.peer, "", "", "", "", peer.unavailable]),
  );
  return `<h2>Peers, in the same run</h2><table>${row(["peer", "per second", "p99 ms", "CPU ms each", "ours is … times", ""], "th")}${rows.join("")}</table>`;
}

/** A page with all figures and plots of a report; it loads nothing. */
export function renderPage(report: BenchReport): string {
  const { cpus, model, memoryMiB, kernel } = report.machine;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Ferry, measured ${escapeHtml(report.startedAt)}</title><style>${STYLE}</style>
<h1>Ferry, measured</h1><p>${escapeHtml(report.startedAt)}, commit ${escapeHtml(report.commit)}, Node ${escapeHtml(report.node)}, ${cpus} × ${escapeHtml(model)}, ${memoryMiB} MiB, ${escapeHtml(kernel)}</p>
${overview(report.scenarios)}${peers(report)}${report.scenarios.map(section).join("")}</html>
`;
}
