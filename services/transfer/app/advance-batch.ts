import { type TransferBatch, TransferBatchCompletedSchema } from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Database, Queryable, Transaction } from "@ferry/platform/db";
import type { Outbox } from "@ferry/platform/outbox";
import type { SagaFailure } from "@ferry/platform/saga";
import {
  type Batch,
  type BatchMove,
  type BatchState,
  type LineState,
  nextMove,
  type OpenLines,
  type Verdict,
} from "../domain/batch.ts";
import type { LineFailure } from "../domain/batch-line.ts";
import { gateReply } from "./answer-gate.ts";
import { toBatchMessage } from "./batch-message.ts";
import type { BatchRow, DueWork, LineCounts, LineRow } from "./batch-rows.ts";

/** Transfers that are asked to turn back in one transaction. */
const SWEEP_CHUNK = 16;

interface BatchStore {
  findBatches(from: Queryable, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  lockBatches(tx: Transaction, ids: readonly string[]): Promise<Map<string, BatchRow>>;
  beginBatch(tx: Transaction, id: string, expireAtMs: number | undefined): Promise<void>;
  decideBatch(tx: Transaction, id: string, verdict: Verdict): Promise<void>;
  showBatch(tx: Transaction, id: string, state: BatchState): Promise<void>;
  markSwept(from: Queryable, id: string): Promise<void>;
  endBatch(tx: Transaction, end: { id: string; state: BatchState; counts: LineCounts; endedAt: Date }): Promise<void>;
}

interface LineStore {
  findOpenLines(from: Queryable, batchId: string): Promise<OpenLines>;
  listLines(
    from: Queryable,
    page: { batchId: string; state: LineState; after: number; limit: number },
  ): Promise<LineRow[]>;
  countLines(from: Queryable, batchIds: readonly string[]): Promise<Map<string, LineCounts>>;
  dropPendingLines(tx: Transaction, id: string, end: { state: LineState; failure: LineFailure }): Promise<void>;
  releaseLines(tx: Transaction, batchId: string, limit: number): Promise<string[]>;
}

interface DueStore {
  planWorkAnew(from: Queryable, work: DueWork): Promise<void>;
  deleteWork(from: Queryable, kind: "advance-batch", ids: readonly string[]): Promise<void>;
}

export interface AdvanceBatchDeps {
  database: Database;
  batches: BatchStore;
  lines: LineStore;
  due: DueStore;
  sagas: { cancel(tx: Transaction, id: string, failure: SagaFailure): Promise<unknown> };
  outbox: Outbox;
  beginLines(batch: Batch, count: number): Promise<void>;
  /** Lines of all batches together that may be on their way at once. */
  linesUnderWay: number;
  /** Wakes whoever waits for this batch; called after the commit. */
  ended(id: string, batch: TransferBatch): void;
  now(): Date;
}

/**
 * Does the next thing about a batch, if there is one. Every step is one transaction that looks once more at what it
 * stands on, under the batch's lock: any number of instances may do it at once, and any of them may die at any time.
 *
 * @returns whether there may be more to do at once.
 */
export function createAdvanceBatch(deps: AdvanceBatchDeps): (id: string) => Promise<boolean> {
  const { database, batches, lines, due, outbox, now } = deps;

  /** Looks again, with the batch locked, and acts only if the same kind of move is still the next. */
  function locked<Kind extends BatchMove["kind"]>(
    { id }: Batch,
    kind: Kind,
    act: (tx: Transaction, batch: BatchRow, move: BatchMove & { kind: Kind }) => Promise<void>,
  ): Promise<void> {
    return database.transaction(async (tx) => {
      const batch = (await batches.lockBatches(tx, [id])).get(id);
      if (batch === undefined) return;
      const move = nextMove(batch, await lines.findOpenLines(tx, id), now().getTime(), deps.linesUnderWay);
      if (move.kind === kind) await act(tx, batch, move as BatchMove & { kind: Kind });
    });
  }

  async function answerHeld({ id, verdict }: Batch, count: number): Promise<void> {
    if (verdict === undefined) return;
    await database.transaction(async (tx) => {
      const transferIds = await lines.releaseLines(tx, id, count);
      const replies = transferIds.map((transferId) => gateReply({ transferId, traceparent: undefined }, verdict));
      await outbox.add(tx, replies);
    });
  }

  /** Asks every transfer on its way to turn back; what is past its pivot goes on. In id order, as sagas are locked. */
  async function sweep({ id }: Batch, failure: LineFailure): Promise<void> {
    for (const state of ["RUNNING", "PARKED"] as const)
      for (let after = 0; ; ) {
        const found = await lines.listLines(database, { batchId: id, state, after, limit: SWEEP_CHUNK });
        const ids = found.flatMap(({ transferId }) => transferId ?? []).sort();
        if (ids.length > 0)
          await database.transaction(async (tx) => {
            for (const transferId of ids) await deps.sagas.cancel(tx, transferId, failure);
          });
        if (found.length < SWEEP_CHUNK) break;
        after = found.at(-1)?.line ?? after;
      }
    await batches.markSwept(database, id);
  }

  async function end(tx: Transaction, batch: BatchRow, state: BatchState): Promise<void> {
    const { id, memberId } = batch;
    const endedAt = now();
    const counts = (await lines.countLines(tx, [id])).get(id) ?? {};
    const message = toBatchMessage({ ...batch, state, endedAt, counts }, counts);
    const content = { batchId: id, memberId, batch: message };
    tx.afterCommit(() => deps.ended(id, message));
    await Promise.all([
      batches.endBatch(tx, { id, state, counts, endedAt }),
      due.deleteWork(tx, "advance-batch", [id]),
      outbox.add(tx, [
        {
          id: `${id}:ended`,
          schema: TransferBatchCompletedSchema,
          message: create(TransferBatchCompletedSchema, content),
        },
      ]),
    ]);
  }

  async function make(batch: Batch, move: BatchMove): Promise<void> {
    const { id } = batch;
    switch (move.kind) {
      case "nothing":
        return;
      case "wait":
        return due.planWorkAnew(database, { id, kind: "advance-batch", dueAtMs: move.untilMs });
      case "begin":
        return locked(batch, "begin", (tx, _, { expireAtMs }) => batches.beginBatch(tx, id, expireAtMs));
      case "stop":
        return locked(batch, "stop", (tx, _, { failure }) => batches.decideBatch(tx, id, { kind: "STOP", failure }));
      case "go":
        return locked(batch, "go", (tx) => batches.decideBatch(tx, id, { kind: "GO" }));
      case "drop-pending":
        return locked(batch, "drop-pending", (tx, _, { failure }) => {
          const state = failure.code === "CANCELED_BY_MEMBER" ? "CANCELED" : "FAILED";
          return lines.dropPendingLines(tx, id, { state, failure });
        });
      case "sweep":
        return sweep(batch, move.failure);
      case "answer-held":
        return answerHeld(batch, move.count);
      case "begin-lines":
        return deps.beginLines(batch, move.count);
      case "show":
        return locked(batch, "show", (tx, _, { state }) => batches.showBatch(tx, id, state));
      case "end":
        return locked(batch, "end", (tx, row, { state }) => end(tx, row, state));
      default:
        return move satisfies never;
    }
  }

  return async (id) => {
    const batch = (await batches.findBatches(database, [id])).get(id);
    if (batch === undefined) return false;
    const move = nextMove(batch, await lines.findOpenLines(database, id), now().getTime(), deps.linesUnderWay);
    await make(batch, move);
    return move.kind !== "nothing" && move.kind !== "wait" && move.kind !== "end";
  };
}
