import { counter, gauge, removerOf } from "@ferry/platform/telemetry";
import type { InFlight } from "./in-flight.ts";
import type { RateLimits } from "./rate-limits.ts";
import type { Sockets } from "./sockets.ts";

const inFlightNow = gauge("ferry_edge_requests_in_flight", "Requests that are being served.");
const openNow = gauge("ferry_edge_connections", "Connections that are open.");
const shed = counter(
  "ferry_edge_shed_total",
  "Requests refused as OVERLOADED: as there were as many as allowed, in all or for one service (crowded), or the event loop was behind (late).",
  ["why"],
);
const cut = counter(
  "ferry_edge_connections_cut_total",
  "Connections closed: one too many (crowded), one too many of an address (address), answers not read (stalled).",
  ["why"],
);
const limited = counter("ferry_edge_rate_limited_total", "Requests refused by a rate limit, by budget.", ["budget"]);
const leases = counter(
  "ferry_edge_rate_leases_total",
  "Leases of shared budgets: taken, or failed, so that the edge counted by itself.",
  ["outcome"],
);

const byLabel = (label: string, counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));

/** Shows what an edge protects itself by. @returns takes it out again. */
export function showProtection(parts: { inFlight: InFlight; sockets: Sockets; rates: RateLimits }): () => void {
  const { inFlight, sockets, rates } = parts;
  return removerOf([
    inFlightNow.from(() => [{ value: inFlight.size }]),
    openNow.from(() => [{ value: sockets.open }]),
    shed.from(() => byLabel("why", inFlight.shed)),
    cut.from(() => byLabel("why", sockets.cut)),
    limited.from(() => byLabel("budget", rates.refused)),
    leases.from(() => byLabel("outcome", { ...rates.leases })),
  ]);
}
