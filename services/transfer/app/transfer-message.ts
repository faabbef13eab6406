import { type Timestamp, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StepState, type Transfer, TransferSchema, TransferState } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Saga, StepRecord } from "@ferry/platform/saga";
import type { Destination } from "../domain/transfer.ts";
import type { TransferRow } from "./transfer-row.ts";

const STEP_STATES = {
  pending: StepState.PENDING,
  running: StepState.RUNNING,
  done: StepState.DONE,
  failed: StepState.FAILED,
  unknown: StepState.UNKNOWN,
  undoing: StepState.UNDOING,
  undone: StepState.UNDONE,
  skipped: StepState.SKIPPED,
  "not-needed": StepState.NOT_NEEDED,
} satisfies Record<StepRecord["status"], StepState>;

function timeOf(timeMs: number | undefined): Timestamp | undefined {
  return timeMs === undefined ? undefined : timestampFromMs(timeMs);
}

function destinationMessage(destination: Destination) {
  if (destination.kind === "account") return { kind: { case: "accountId" as const, value: destination.accountId } };
  const { bankCode, accountNumber } = destination;
  return { kind: { case: "bankAccount" as const, value: { bankCode, accountNumber } } };
}

/** The transfer as the contract shows it. @param saga Gives the steps; without it there are none. */
export function toTransferMessage(row: Omit<TransferRow, "requestHash">, saga: Saga | undefined): Transfer {
  return create(TransferSchema, {
    id: row.id,
    state: TransferState[row.state],
    failure: row.failure,
    sourceAccountId: row.sourceAccountId,
    destination: destinationMessage(row.destination),
    amount: { currency: row.currency, minorUnits: row.amountMinor },
    memo: row.memo,
    steps: (saga?.steps ?? []).map((step) => ({
      name: step.name,
      state: STEP_STATES[step.status],
      startTime: timeOf(step.startedAtMs),
      endTime: timeOf(step.endedAtMs),
      attempts: step.attempts,
    })),
    createTime: timestampFromDate(row.createdAt),
    updateTime: timestampFromDate(row.updatedAt),
    executeTime: timeOf(row.executeAtMs),
    expireTime: timeOf(row.expireAtMs),
    batchId: row.batch?.id ?? "",
    batchLine: row.batch?.line ?? 0,
  });
}
