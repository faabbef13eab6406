import { gauge, removerOf } from "@ferry/platform/telemetry";
import type { TwoPhaseStats } from "./types.ts";

const transactions = gauge(
  "ferry_two_phase_transactions",
  'Transactions over several databases: under way now ("open", "waiting", "unfinished", "inDoubt"), and since the start of the process, by how they ended.',
  ["coordinator", "state"],
);
const oldest = gauge(
  "ferry_two_phase_oldest_in_doubt_seconds",
  "Age of the oldest transaction in doubt when it was looked last; it holds its locks.",
  ["coordinator"],
);

/** Shows a coordinator in the metrics. @returns takes it out again. */
export function showCoordinator(coordinator: string, stats: () => TwoPhaseStats): () => void {
  const removals = [
    transactions.from(() => {
      const { oldestInDoubtMs: _, ...counts } = stats();
      return Object.entries(counts).map(([state, value]) => ({ labels: { coordinator, state }, value }));
    }),
    oldest.from(() => [{ labels: { coordinator }, value: stats().oldestInDoubtMs / 1_000 }]),
  ];
  return removerOf(removals);
}
