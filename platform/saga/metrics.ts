import type { Queryable, Transaction } from "@ferry/platform/db";
import { counter, gauge, sweep } from "@ferry/platform/telemetry";
import { hasEnded, type Saga } from "./saga.ts";
import { countSagas } from "./store.ts";

const begun = new Map<string, number>();
/** By definition, then by end. */
const ended = new Map<string, Map<string, number>>();

counter("ferry_sagas_begun_total", "Sagas that this process began.", ["definition"]).from(() =>
  [...begun].map(([definition, value]) => ({ labels: { definition }, value })),
);
counter(
  "ferry_sagas_ended_total",
  "Sagas that this process brought to an end (completed, undone) or to a stop (parked).",
  ["definition", "end"],
).from(() =>
  [...ended].flatMap(([definition, ends]) => [...ends].map(([end, value]) => ({ labels: { definition, end }, value }))),
);
const standing = gauge("ferry_sagas", "Sagas that are under way or parked now, as the service's database has them.", [
  "definition",
  "state",
]);

/** Counts sagas that are begun with this transaction. */
export function countBegun(tx: Transaction, sagas: readonly Saga[]): void {
  if (sagas.length === 0) return;
  tx.afterCommit(() => {
    for (const { definition } of sagas) begun.set(definition, (begun.get(definition) ?? 0) + 1);
  });
}

/** Counts sagas that come to their end, or are parked, with this transaction. */
export function countEnds(tx: Transaction, changes: readonly { before: Saga; after: Saga }[]): void {
  const ends = changes.filter(
    ({ before, after }) => before.status !== after.status && (hasEnded(after) || after.status === "parked"),
  );
  if (ends.length === 0) return;
  tx.afterCommit(() => {
    for (const { after } of ends) {
      const counts = ended.get(after.definition) ?? new Map<string, number>();
      counts.set(after.status, (counts.get(after.status) ?? 0) + 1);
      ended.set(after.definition, counts);
    }
  });
}

/** Shows the sagas of a database in the metrics. @returns takes them out again. */
export function showSagas(db: Queryable): () => void {
  return standing.from(async () =>
    (await countSagas(db)).map(({ definition, state, count }) => ({
      labels: { definition, state },
      value: Number(count),
    })),
  );
}

/** What the rounds of the engine bring on their way again. */
export const swept = {
  dueSagas: sweep("sagas", "Sagas whose answer has not come in time, or whose pause is over."),
  strays: sweep("stray-replies", "Replies that came before their saga was known here, and whose saga is there now."),
};
