import type { Refund } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import type { Database, Queryable } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { readPage } from "./pages.ts";
import type { PaymentRow, Position } from "./payment-row.ts";
import { toRefundMessage } from "./refund-message.ts";
import type { RefundRow } from "./refund-row.ts";

interface RefundStore {
  findPayments(from: Queryable, ids: readonly string[]): Promise<Map<string, PaymentRow>>;
  findRefunds(from: Queryable, ids: readonly string[]): Promise<Map<string, RefundRow>>;
  listRefunds(
    from: Queryable,
    page: { paymentId: string; limit: number; after: Position | undefined },
  ): Promise<{ row: RefundRow; position: Position }[]>;
}

export interface ListRefunds {
  memberId: string;
  paymentId: string;
  /** 0 means 50. */
  pageSize: number;
  pageToken: string;
}

/** Reads refunds, for the merchant and the payer of their payment. */
export function createReadRefunds({ database, store }: { database: Database; store: RefundStore }) {
  return {
    /** @throws FerryError NOT_FOUND when the payment has no such refund, or the caller has no part in it. */
    async get(memberId: string, paymentId: string, id: string): Promise<Refund> {
      const row = (await store.findRefunds(database, [id])).get(id);
      if (row?.paymentId !== paymentId || (row.memberId !== memberId && row.merchantMemberId !== memberId))
        throw new FerryError("NOT_FOUND", `refund_id: no refund ${id} of this payment`);
      return toRefundMessage(row);
    },

    /** One page, newest first. @throws FerryError NOT_FOUND for a payment that is not the caller's, PAGE_TOKEN_INVALID. */
    async list(request: ListRefunds): Promise<{ refunds: Refund[]; nextPageToken: string }> {
      const { memberId, paymentId } = request;
      const payment = (await store.findPayments(database, [paymentId])).get(paymentId);
      const isMerchant = payment?.merchantMemberId === memberId && payment.state === "COMPLETED";
      if (payment === undefined || (payment.memberId !== memberId && !isMerchant))
        throw new FerryError("NOT_FOUND", `payment_id: no payment ${paymentId}`);
      const { rows, nextPageToken } = await readPage(`refunds ${paymentId}`, request, (limit, after) =>
        store.listRefunds(database, { paymentId, limit, after }),
      );
      return { refunds: rows.map(toRefundMessage), nextPageToken };
    },
  };
}
