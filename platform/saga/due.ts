import type { Database, Transaction } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import { endedMessage } from "./child.ts";
import type { SagaInput } from "./decide.ts";
import { swept } from "./metrics.ts";
import type { ProgressKeeper } from "./progress.ts";
import { awaitedChildren, awaitsReply, dueAtMsOf, hasEnded } from "./saga.ts";
import { findNextLookMs, findSagas, type LookedAtSaga, lockSagasToLookAt, lookLater } from "./store.ts";
import { deleteOldStrays } from "./strays.ts";

const CHUNK = 200;
/** When all that is due is locked, another instance is at it, or a reply is. */
const LOCKED_ELSEWHERE_MS = 250;
const CLEAN_UP_MS = 3_600_000;
const STRAYS_MS = 30_000;

export interface DueRoundOptions {
  database: Database;
  outbox: Outbox;
  progress: ProgressKeeper;
  /** Takes on replies whose saga has come since. */
  takeStrays(): Promise<void>;
  pollMs: number;
  now(): number;
}

/** Makes the round that takes on what is due, whichever instance began it; it gives when the next round should be. */
export function createDueRound(options: DueRoundOptions): () => Promise<number> {
  const { database, outbox, progress, takeStrays, pollMs, now } = options;
  let cleanUpAtMs = 0;
  let straysAtMs = 0;

  /** The ends of sagas that others have waited for long enough to be looked at, by the id of who waits. */
  async function endsFor(tx: Transaction, due: readonly LookedAtSaga[]): Promise<Map<string, SagaInput[]>> {
    const awaited = due.flatMap(({ saga }) => awaitedChildren(saga));
    if (awaited.length === 0) return new Map();
    const children = [...(await findSagas(tx, awaited)).values()].filter(hasEnded);
    const inputs = children.map((child): [string, SagaInput] => [
      child.parent?.id ?? "",
      { kind: "reply", step: child.parent?.step ?? "", reply: endedMessage(child) },
    ]);
    return new Map(
      [...Map.groupBy(inputs, ([parent]) => parent)].map(([parent, each]) => [parent, each.map(([, input]) => input)]),
    );
  }

  async function takeOn(nowMs: number): Promise<number> {
    // Read before the rows are locked: it only grows, so a row never counts as sent when it was not.
    const acknowledgedBelow = await outbox.acknowledgedBelow();
    const isSent = ({ saga, commandXid }: LookedAtSaga) =>
      !awaitsReply(saga) || commandXid === undefined || commandXid < acknowledgedBelow;
    return database.transaction(async (tx) => {
      const lookedAt = await lockSagasToLookAt(tx, nowMs, CHUNK);
      const isDue = ({ saga }: LookedAtSaga) => (dueAtMsOf(saga) ?? 0) <= nowMs;
      const [due, early] = [lookedAt.filter(isDue), lookedAt.filter((each) => !isDue(each))];
      if (early.length > 0)
        await lookLater(
          tx,
          early.map(({ saga }) => saga),
        );
      const ends = await endsFor(tx, due);
      const decided = due.map((each) => {
        const heard = (ends.get(each.saga.id) ?? []).reduce(progress.take, progress.unchanged(each.saga));
        return progress.take(heard, { kind: isSent(each) ? "timed-out" : "not-sent-yet" });
      });
      await progress.save(tx, decided);
      tx.afterCommit(() => swept.dueSagas(due.length));
      return lookedAt.length;
    });
  }

  return async () => {
    if (now() >= cleanUpAtMs) {
      await deleteOldStrays(database, now());
      cleanUpAtMs = now() + CLEAN_UP_MS;
    }
    if (now() >= straysAtMs) {
      straysAtMs = now() + STRAYS_MS;
      await takeStrays();
    }
    for (;;) {
      const nowMs = now();
      const nextLookMs = await findNextLookMs(database);
      if (nextLookMs === undefined || nextLookMs > nowMs) return Math.min(nextLookMs ?? nowMs + pollMs, nowMs + pollMs);
      if ((await takeOn(nowMs)) === 0) return nowMs + LOCKED_ELSEWHERE_MS;
    }
  };
}
