import { type Timestamp, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Payment, PaymentSchema, PaymentState, StepState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Saga, StepRecord } from "@ferry/platform/saga";
import type { PaymentRow } from "./payment-row.ts";

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

/** What payer and merchant both see. */
function commonOf(row: PaymentRow) {
  const { id, currency, amountMinor, memo, refundedMinor, failure, merchantAccountId } = row;
  return {
    ...{ id, memo, failure, merchantAccountId, state: PaymentState[row.state] },
    amount: { currency, minorUnits: amountMinor },
    refunded: { currency, minorUnits: refundedMinor },
    createTime: timestampFromDate(row.createdAt),
    updateTime: timestampFromDate(row.updatedAt),
  };
}

/** The payment as its merchant sees it: neither the payer's account nor how the money came together. */
export function toMerchantsView(row: PaymentRow): Payment {
  return create(PaymentSchema, commonOf(row));
}

/** The payment as its payer sees it. @param saga Gives the steps; without it there are none. */
export function toPayersView(row: PaymentRow, saga: Saga | undefined): Payment {
  const { topUp, topUpId, currency, sourceAccountId } = row;
  return create(PaymentSchema, {
    ...commonOf(row),
    sourceAccountId,
    topUp: topUp && {
      bankAccount: { bankCode: topUp.bankCode, accountNumber: topUp.accountNumber },
      amount: topUp.amountMinor === undefined ? undefined : { currency, minorUnits: topUp.amountMinor },
    },
    topUpId: topUpId ?? "",
    steps: (saga?.steps ?? []).map((step) => ({
      name: step.name,
      state: STEP_STATES[step.status],
      startTime: timeOf(step.startedAtMs),
      endTime: timeOf(step.endedAtMs),
      attempts: step.attempts,
    })),
  });
}
