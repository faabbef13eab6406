import { gauge, removerOf, sweep } from "@ferry/platform/telemetry";
import type { OutboxStats } from "./types.ts";

const pending = gauge(
  "ferry_outbox_pending_messages",
  "Messages that this process has committed and the broker has not acknowledged.",
  ["source"],
);
const oldest = gauge("ferry_outbox_oldest_age_seconds", "Age of the oldest pending message; 0 when there is none.", [
  "source",
]);
const relaying = gauge("ferry_outbox_relaying", "1 in the process that publishes for its service, 0 in the others.", [
  "source",
]);

/** Shows an outbox in the metrics. @returns takes it out again. */
export function showOutbox(source: string, stats: () => OutboxStats): () => void {
  const labels = { source };
  const removals = [
    pending.from(() => [{ labels, value: stats().pending }]),
    oldest.from(() => [{ labels, value: stats().oldestAgeMs / 1_000 }]),
    relaying.from(() => [{ labels, value: stats().relaying ? 1 : 0 }]),
  ];
  return removerOf(removals);
}

/** Counts rows that were published from the table. */
export const sweptRows = sweep(
  "outbox-rows",
  "Rows of the outbox that the process which wrote them did not publish: it ended, or another one publishes.",
);
