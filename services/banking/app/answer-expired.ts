import type { Database, Queryable } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import { expired, type Outcome } from "../domain/call.ts";
import type { BankCall } from "./bank-call.ts";

export interface AnswerExpiredDeps {
  database: Database;
  outbox: Outbox;
  store: {
    /** The references of those given under which a payment was recorded. */
    findPaidReferences(from: Queryable, references: readonly string[]): Promise<Set<string>>;
  };
  toReply(call: BankCall, outcome: Outcome): OutgoingMessage;
}

/** Answers commands that came after their expiry; they are not carried out. */
export function createAnswerExpired({ database, outbox, store, toReply }: AnswerExpiredDeps) {
  return async (calls: readonly BankCall[]): Promise<void> => {
    const answered = calls.filter(({ route }) => route !== undefined);
    if (answered.length === 0) return;
    await database.transaction(async (tx) => {
      const paid = await store.findPaidReferences(
        tx,
        answered.map(({ reference }) => reference),
      );
      await outbox.add(
        tx,
        answered.map((call) => toReply(call, expired(call.operation.kind, paid.has(call.reference)))),
      );
    });
  };
}
