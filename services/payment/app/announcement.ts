import { RefundRequestedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { create } from "@ferry/platform/codec";
import type { OutgoingMessage } from "@ferry/platform/outbox";
import type { PaymentRow } from "./payment-row.ts";
import type { RefundRow } from "./refund-row.ts";

/** A refund as it was recorded. */
const FIRST_VERSION = 1n;

/**
 * What the others need to do their part of a refund: nobody tells them more later. Said again it is the same
 * event, word for word, however far the refund has come.
 */
export function announcementOf(
  refund: RefundRow,
  { merchantAccountId, sourceAccountId }: Pick<PaymentRow, "merchantAccountId" | "sourceAccountId">,
): OutgoingMessage {
  const { id: refundId, paymentId, merchantMemberId, bankAccount, currency, amountMinor, memo } = refund;
  const message = create(RefundRequestedSchema, {
    ...{ refundId, paymentId, merchantMemberId, merchantAccountId, memo, version: FIRST_VERSION },
    destination:
      bankAccount === undefined
        ? { case: "payerAccountId", value: sourceAccountId }
        : { case: "bankAccount", value: bankAccount },
    amount: { currency, minorUnits: amountMinor },
  });
  return { id: `${refundId}:${FIRST_VERSION}`, schema: RefundRequestedSchema, message };
}
