import { timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type TransferBatch,
  type TransferBatchLineResult,
  TransferBatchLineResultSchema,
  TransferBatchLineState,
  TransferBatchMode,
  TransferBatchSchema,
  TransferBatchState,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { create } from "@ferry/platform/codec";
import type { BatchRow, LineCounts, LineRow } from "./batch-rows.ts";

/** The batch as the contract shows it. */
export function toBatchMessage(row: BatchRow, counts: LineCounts): TransferBatch {
  return create(TransferBatchSchema, {
    id: row.id,
    state: TransferBatchState[row.state],
    mode: TransferBatchMode[row.mode],
    failure: row.verdict?.kind === "STOP" ? row.verdict.failure : undefined,
    sourceAccountId: row.sourceAccountId ?? "",
    lineCount: row.lineCount,
    counts: {
      pending: counts.PENDING ?? 0,
      running: counts.RUNNING ?? 0,
      held: counts.HELD ?? 0,
      completed: counts.COMPLETED ?? 0,
      failed: counts.FAILED ?? 0,
      canceled: counts.CANCELED ?? 0,
      parked: counts.PARKED ?? 0,
      duplicate: counts.DUPLICATE ?? 0,
    },
    executeTime: row.executeAtMs === undefined ? undefined : timestampFromMs(row.executeAtMs),
    expireTime: row.expireAtMs === undefined ? undefined : timestampFromMs(row.expireAtMs),
    createTime: timestampFromDate(row.createdAt),
    endTime: row.endedAt === undefined ? undefined : timestampFromDate(row.endedAt),
  });
}

/** The result of a line as the contract shows it. */
export function toLineMessage(row: LineRow): TransferBatchLineResult {
  return create(TransferBatchLineResultSchema, {
    line: row.line,
    reference: row.reference,
    state: TransferBatchLineState[row.state],
    failure: row.failure,
    transferId: row.transferId ?? "",
    amount: row.amountMinor === undefined ? undefined : { currency: row.currency, minorUnits: row.amountMinor },
  });
}
