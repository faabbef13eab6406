import { type Batcher, createBatcher, type Database, type Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Outcome } from "../domain/call.ts";
import type { BankCall, FinishedCall } from "./bank-call.ts";

export interface OutcomeStore {
  /** @returns the numbers of those that were still pending. */
  finishCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<Set<bigint>>;
  /** The same where all are pending; else it fails as a lost race. */
  finishPendingCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<void>;
}

export interface RecordOutcomesDeps {
  database: Database;
  outbox: Outbox;
  store: OutcomeStore;
  /** Makes the reply of a call that came over the bus. */
  toReply(call: BankCall, outcome: Outcome): OutgoingMessage;
}

/** Records outcomes of calls, each together with its reply; those that come together in one transaction. */
export function createRecordOutcomes({ database, outbox, store, toReply }: RecordOutcomesDeps) {
  const reply = (tx: Transaction, finished: readonly FinishedCall[]) =>
    outbox.add(
      tx,
      finished.filter(({ call }) => call.route !== undefined).map(({ call, outcome }) => toReply(call, outcome)),
    );

  /** Almost always nobody else has ended one of them: then all is asked for at once. */
  async function recordAll(tx: Transaction, finished: readonly FinishedCall[]): Promise<void> {
    const written = Promise.all([store.finishPendingCalls(tx, finished), reply(tx, finished)]);
    tx.conclude();
    await written;
  }

  async function recordFirst(tx: Transaction, finished: readonly FinishedCall[]): Promise<void> {
    const first = await store.finishCalls(tx, finished);
    await reply(
      tx,
      finished.filter(({ call }) => first.has(call.seq)),
    );
  }

  const outcomes: Batcher<FinishedCall, void> = createBatcher({
    async run(finished) {
      await database.transaction((tx, count) => (count === 1 ? recordAll : recordFirst)(tx, finished));
      return finished.map(() => undefined);
    },
  });
  return outcomes;
}
