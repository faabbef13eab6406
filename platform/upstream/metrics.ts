import { counter, gauge, removerOf } from "@ferry/platform/telemetry";
import type { Upstream } from "./upstream.ts";

const LABELS = ["upstream"];

const broken = gauge(
  "ferry_upstream_broken",
  "Breakers to the upstream that are not closed: calls are refused.",
  LABELS,
);
const inFlight = gauge("ferry_upstream_in_flight", "Calls to the upstream that are under way.", LABELS);
const room = gauge("ferry_upstream_max_in_flight", "Calls to the upstream that may be under way at once.", LABELS);
const opened = counter("ferry_upstream_opened_total", "How often a breaker to the upstream has opened.", LABELS);
const refused = counter(
  "ferry_upstream_refused_total",
  'Calls to the upstream that were not made: "open", its breaker was open; "full", too many were under way.',
  [...LABELS, "cause"],
);

/** Shows an upstream in the metrics. @returns takes it out again. */
export function watchUpstream(upstream: Pick<Upstream, "status">): () => void {
  const one = (figureOf: (status: ReturnType<Upstream["status"]>) => number) => () => {
    const status = upstream.status();
    return [{ labels: { upstream: status.name }, value: figureOf(status) }];
  };
  const sources = [
    broken.from(one(({ state }) => (state === "closed" ? 0 : 1))),
    inFlight.from(one((status) => status.inFlight)),
    room.from(one(({ maxInFlight }) => maxInFlight)),
    opened.from(one((status) => status.opened)),
    refused.from(() => {
      const { name, refusedOpen, refusedFull } = upstream.status();
      return [
        { labels: { upstream: name, cause: "open" }, value: refusedOpen },
        { labels: { upstream: name, cause: "full" }, value: refusedFull },
      ];
    }),
  ];
  return removerOf(sources);
}
