import type { PeerReport, ScenarioReport } from "../scenario.ts";
import { decimals, table, whole } from "./text.ts";

/** Processes that cost less than this for one transfer are not worth a word. */
const LEAST_MS = 0.0005;
const MAX_FINDINGS = 5;

function describeCpu({
  cpuMsPerTransferByProcess,
  cpuMsPerTransfer,
  driverCpuMsPerTransfer,
  unit,
}: ScenarioReport): string {
  const parts = Object.entries(cpuMsPerTransferByProcess)
    .filter(([, ms]) => ms >= LEAST_MS)
    .sort(([, a], [, b]) => b - a)
    .map(([name, ms]) => `${name} ${decimals(ms, 3)}`);
  return `  CPU ${decimals(cpuMsPerTransfer, 3)} ms for one ${unit}: ${parts.join(", ")}; the driver's ${decimals(driverCpuMsPerTransfer, 3)} beside`;
}

/** What a scenario gave, in a few lines. */
export function summarize(report: ScenarioReport): string[] {
  const { calibration, machine, unit } = report;
  const end = `errors ${report.errors}  books ${report.booksOk ? "hold" : "DO NOT HOLD"}`;
  const rate = `${whole(report.transfersPerSecond)} ${unit}s/s  p50 ${decimals(report.p50Ms, 1)} ms  p99 ${decimals(report.p99Ms, 1)} ms  over 1 s ${decimals(report.shareOverOneSecond * 100, 2)} %`;
  const counted = report.count > 0;
  const speed = `calibration ${decimals(calibration.cpuMs, 1)} ms, ${decimals(calibration.factor, 2)} of the reference${calibration.slow ? " (slow)" : ""}; machine ${decimals(machine.idlePercent, 1)} % idle, ${decimals(machine.stealPercent, 1)} % stolen`;
  const normalized = `on the reference machine ${decimals(report.cpuMsPerTransfer / calibration.factor, 3)} ms: `;
  const lines = [
    counted ? `${report.scenario}: ${rate}  ${end}` : `${report.scenario}: ${end}`,
    ...(counted ? [describeCpu(report)] : []),
    `  ${counted ? normalized : ""}${speed}`,
  ];
  for (const [name, fact] of Object.entries(report.facts))
    lines.push(`  ${name}: ${typeof fact === "number" ? decimals(fact, Number.isInteger(fact) ? 0 : 3) : fact}`);
  for (const finding of report.booksFindings.slice(0, MAX_FINDINGS)) lines.push(`  BREACH  ${finding}`);
  for (const [what, { count, examples }] of Object.entries(report.errorKinds))
    lines.push(`  ${count} × ${what}${examples[0] === undefined ? "" : `, as ${examples[0]}`}`);
  return lines;
}

/** The peers of the same run, and how many times theirs ours is. */
export function summarizePeers(peers: readonly PeerReport[]): string[] {
  const head = ["peer", "transfers/s", "p50 ms", "p99 ms", "CPU ms", "books", "ours is"];
  const rows = peers.map((peer) =>
    peer.unavailable === undefined
      ? [
          peer.peer,
          whole(peer.transfersPerSecond ?? 0),
          decimals(peer.p50Ms ?? 0, 0),
          decimals(peer.p99Ms ?? 0, 0),
          decimals(peer.cpuMsPerTransfer ?? 0, 2),
          peer.booksOk ? "hold" : "DO NOT HOLD",
          peer.timesOurs === undefined ? "-" : `${decimals(peer.timesOurs, 1)} times`,
        ]
      : [peer.peer, "-", "-", "-", "-", "-", "-"],
  );
  const left = peers.filter(({ unavailable }) => unavailable !== undefined);
  return [...table([head, ...rows]), ...left.map(({ peer, unavailable }) => `${peer} is left out: ${unavailable}`)];
}
