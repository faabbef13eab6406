import type { BenchReport, PeerReport } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** What peers/ gives for one of them. */
export type PeerResult = { peer: string; note: string } & (
  | { transfersPerSecond: number; p50Ms: number; p99Ms: number; cpuMsPerTransfer: number; booksOk: boolean }
  | { unavailable: string }
);

/** Ours over theirs, for each peer that could be had. @param ours transfers a second of the same run. */
export function compareWithPeers(results: readonly PeerResult[], ours: number): PeerReport[] {
  return results.map((result) =>
    "unavailable" in result || !(result.transfersPerSecond > 0)
      ? result
      : { ...result, timesOurs: ours / result.transfersPerSecond },
  );
}

/** Measures the peers, and compares them with the first scenario of the run that counts transfers. */
export async function measurePeers(
  report: BenchReport,
  seconds: number,
  log: (line: string) => void,
): Promise<PeerReport[]> {
  const ours = report.scenarios.find(({ unit }) => unit === "transfer");
  if (ours === undefined) throw new Error(`--peers compares transfers: add --scenario ${Object.keys(SCENARIOS)[0]}`);
  const { runPeers } = await import("./peers/run-peers.ts");
  return compareWithPeers(await runPeers({ seconds, log }), ours.transfersPerSecond);
}
