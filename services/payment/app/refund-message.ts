import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Refund, RefundSchema, RefundState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { RefundRow } from "./refund-row.ts";

/** The refund as the contract shows it. */
export function toRefundMessage(row: RefundRow): Refund {
  return create(RefundSchema, {
    id: row.id,
    paymentId: row.paymentId,
    state: RefundState[row.state],
    failure: row.failure,
    amount: { currency: row.currency, minorUnits: row.amountMinor },
    bankAccount: row.bankAccount,
    memo: row.memo,
    createTime: timestampFromDate(row.createdAt),
    updateTime: timestampFromDate(row.updatedAt),
  });
}
