import { hash } from "node:crypto";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type CreateRefundRequest,
  CreateRefundRequestSchema,
  type PaymentService,
  type Refund,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { encode } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { idempotencyKeyOf, memberIdOf, waitMsOf } from "@ferry/platform/rpc";
import type { Waiters } from "@ferry/platform/saga";
import type { ListRefunds } from "../app/read-refunds.ts";
import { toRefundMessage } from "../app/refund-message.ts";
import type { NewRefund, RefundRow } from "../app/refund-row.ts";
import type { Created } from "../app/replay.ts";
import { isRefundOver } from "../domain/refund.ts";

/** Names the UUIDs of refunds; made once, at random. */
const NAMESPACE = "c4e9a4d2-93b0-4d0c-b6a2-7f2d8a5be631";
const CREATE = "ferry.payment.v1.PaymentService/CreateRefund";

export interface RefundRpcsDeps {
  create(request: NewRefund): Promise<Created<RefundRow>>;
  get(memberId: string, paymentId: string, id: string): Promise<Refund>;
  list(request: ListRefunds): Promise<{ refunds: Refund[]; nextPageToken: string }>;
  waiters: Waiters<RefundRow>;
}

type RefundRpcs = Pick<ServiceImpl<typeof PaymentService>, "createRefund" | "getRefund" | "listRefunds">;

function newRefundOf(received: CreateRefundRequest, memberId: string, key: string): NewRefund {
  const request = { ...received, paymentId: received.paymentId.toLowerCase() };
  const { paymentId, amount, bankAccount, memo } = request;
  return {
    id: nameUuid(NAMESPACE, `${memberId}\n${CREATE}\n${key}`),
    requestHash: hash("sha256", encode(CreateRefundRequestSchema, request), "buffer"),
    ...{ memberId, paymentId, memo, currency: amount?.currency ?? "", amountMinor: amount?.minorUnits ?? 0n },
    bankAccount: bankAccount && { bankCode: bankAccount.bankCode, accountNumber: bankAccount.accountNumber },
  };
}

export function createRefundRpcs({ create, get, list, waiters }: RefundRpcsDeps): RefundRpcs {
  async function createRefund(received: CreateRefundRequest, context: HandlerContext) {
    const memberId = memberIdOf(context);
    const refund = newRefundOf(received, memberId, idempotencyKeyOf(context));
    const waitMs = waitMsOf(context);
    // Registered before the commit, so that the end cannot slip through between the record and the wait.
    const waiting = waitMs > 0 ? waiters.wait(refund.id, waitMs) : undefined;
    try {
      const { row, replayed } = await create(refund);
      if (waiting === undefined || isRefundOver(row.state)) return { refund: toRefundMessage(row), replayed };
      const ended = await waiting.done;
      return { refund: ended ? toRefundMessage(ended) : await get(memberId, row.paymentId, row.id), replayed };
    } finally {
      waiting?.cancel();
    }
  }

  return {
    createRefund,
    async getRefund({ paymentId, refundId }, context) {
      return { refund: await get(memberIdOf(context), paymentId.toLowerCase(), refundId.toLowerCase()) };
    },
    listRefunds({ paymentId, pageSize, pageToken }, context) {
      return list({ memberId: memberIdOf(context), paymentId: paymentId.toLowerCase(), pageSize, pageToken });
    },
  };
}
