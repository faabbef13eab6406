import { resolve } from "node:path";
import { selectPeers } from "./catalogue.ts";
import { measurePeer } from "./measure-peer.ts";
import { describe, type PeerResult } from "./result.ts";

export type { PeerResult } from "./result.ts";

/** As for the scenarios of the bench. */
const WARM_UP_SECONDS = 8;
const INSTALLED = resolve(import.meta.dirname, "../../.ferry/peers");

export interface RunPeersOptions {
  /** Seconds measured for each peer. */
  seconds: number;
  /** Names of peers (see catalogue.ts); all by default. */
  only?: readonly string[];
  log(line: string): void;
  /** Ends the run: what runs is stopped, data goes, and the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Measures what a team could take instead, one after the other on this machine: each carries out the
 * reference's four steps of a transfer, 64 in flight, on a fresh PostgreSQL with the settings of ours.
 * What is not installed is fetched first.
 *
 * @returns a result for each peer, in the catalogue's order; a peer that cannot be had gives its reason
 * and does not fail the run.
 * @throws Error when there is no peer of a name; the signal's reason when that is aborted.
 */
export async function runPeers(options: RunPeersOptions): Promise<PeerResult[]> {
  const { seconds, only, log, signal = new AbortController().signal } = options;
  const results: PeerResult[] = [];
  for (const peer of selectPeers(only)) {
    const result = await measurePeer(peer, {
      sources: import.meta.dirname,
      installed: INSTALLED,
      warmUpSeconds: WARM_UP_SECONDS,
      seconds,
      signal,
      log,
    });
    log(describe(result));
    results.push(result);
  }
  return results;
}
