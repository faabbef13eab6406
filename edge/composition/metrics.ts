import { counter } from "@ferry/platform/telemetry";

const missing = counter("ferry_edge_parts_missing_total", "Parts that composed answers lacked, by their reason.", [
  "rpc",
  "part",
  "reason",
]);

/** As many as there are parts and reasons; the same for all edges of a process. */
const counts = new Map<string, { labels: { rpc: string; part: string; reason: string }; value: number }>();
missing.from(() => [...counts.values()]);

export function countMissing(rpc: string, part: string, reason: string): void {
  const key = `${rpc} ${part} ${reason}`;
  const counted = counts.get(key) ?? { labels: { rpc, part, reason }, value: 0 };
  counted.value += 1;
  counts.set(key, counted);
}
