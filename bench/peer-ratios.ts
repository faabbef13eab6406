import type { PeerResult } from "./peers/run-peers.ts";
import type { BenchReport, PeerReport } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/**
 * Ours over theirs, for each peer that could be had.
 *
 * @param ours transfers a second of the same run; without them there are no ratios.
 */
export function compareWithPeers(results: readonly PeerResult[], ours: number | undefined): PeerReport[] {
  return results.map((result) =>
    ours === undefined || "unavailable" in result || !(result.transfersPerSecond > 0)
      ? result
      : { ...result, timesOurs: ours / result.transfersPerSecond },
  );
}

/**
 * Measures the peers, and compares them with the first scenario of the run that counts transfers.
 *
 * @param signal ends it early.
 */
export async function measurePeers(
  report: BenchReport,
  { seconds, log, signal }: { seconds: number; log(line: string): void; signal: AbortSignal },
): Promise<PeerReport[]> {
  const ours = report.scenarios.find(({ unit, count }) => unit === "transfer" && count > 0);
  if (ours === undefined) log(`no ratios to the peers: the run has no ${Object.keys(SCENARIOS)[0]}`);
  const { runPeers } = await import("./peers/run-peers.ts");
  return compareWithPeers(await runPeers({ seconds, log, signal }), ours?.transfersPerSecond);
}
