import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type TopUp, TopUpSchema, TopUpState } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { TopUpRow } from "./top-up-row.ts";

/** The top-up as the contract shows it. */
export function toTopUpMessage(row: TopUpRow): TopUp {
  return create(TopUpSchema, {
    id: row.id,
    state: TopUpState[row.state],
    failure: row.failure,
    accountId: row.accountId,
    bankAccount: { bankCode: row.bankCode, accountNumber: row.accountNumber },
    amount: { currency: row.currency, minorUnits: row.amountMinor },
    createTime: timestampFromDate(row.createdAt),
    updateTime: timestampFromDate(row.updatedAt),
    paymentId: row.paymentId ?? "",
  });
}
