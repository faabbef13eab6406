import { AwaitBatchResponseSchema } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Verdict } from "../domain/batch.ts";
import { GATE } from "../sagas/send-in-batch.ts";
import type { BatchRow } from "./batch-rows.ts";

/** Where the answers go: the topic of replies that transfer's own sagas listen to. */
export const REPLY_TOPIC = "ferry.transfer.replies.v1";

/** A line that has come to the gate of its batch. */
export interface AtGate {
  transferId: string;
  batchId: string;
  line: number;
  traceparent: string | undefined;
}

interface LineStore {
  holdLines(tx: Transaction, lines: readonly { batchId: string; line: number }[]): Promise<void>;
}

export interface AnswerGateDeps {
  database: Database;
  batches: { findBatches(from: Queryable, ids: readonly string[]): Promise<Map<string, BatchRow>> };
  lines: LineStore;
  outbox: Outbox;
  /** Hears after the commit of batches that can go on. */
  wake(batchIds: Iterable<string>): void;
}

/** What a verdict means to a line at the gate. */
export function gateReply(
  { transferId, traceparent }: Pick<AtGate, "transferId" | "traceparent">,
  verdict: Verdict,
): OutgoingMessage {
  const failure = verdict.kind === "STOP" ? verdict.failure : undefined;
  return {
    id: `${transferId}:${GATE}:${verdict.kind}`,
    schema: AwaitBatchResponseSchema,
    message: create(AwaitBatchResponseSchema, { transferId, failure }),
    topic: REPLY_TOPIC,
    sagaId: transferId,
    sagaStep: GATE,
    traceparent,
  };
}

/**
 * Takes lines that have come to the gate. Where the batch is decided they are answered at once, as often as they ask;
 * where it is not they are noted as held, and answered when it is. A question that comes twice, late, or after its
 * transfer has turned back does no harm: the verdict is the same for ever, and a line that turned back has none but STOP.
 */
export function createAnswerGate({ database, batches, lines, outbox, wake }: AnswerGateDeps) {
  return (set: readonly AtGate[]): Promise<void> =>
    database.transaction(async (tx) => {
      const found = await batches.findBatches(tx, [...new Set(set.map(({ batchId }) => batchId))]);
      const replies: OutgoingMessage[] = [];
      const held = new Map<string, AtGate>();
      for (const each of set) {
        const verdict = found.get(each.batchId)?.verdict;
        if (verdict === undefined) held.set(each.transferId, each);
        else replies.push(gateReply(each, verdict));
      }
      const sorted = [...held.values()].sort((a, b) => a.batchId.localeCompare(b.batchId) || a.line - b.line);
      if (sorted.length > 0) tx.afterCommit(() => wake(new Set(sorted.map(({ batchId }) => batchId))));
      await Promise.all([
        sorted.length > 0 ? lines.holdLines(tx, sorted) : undefined,
        replies.length > 0 ? outbox.add(tx, replies) : undefined,
      ]);
    });
}
