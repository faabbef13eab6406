import { hash } from "node:crypto";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type CreatePaymentRequest,
  CreatePaymentRequestSchema,
  type Payment,
  type PaymentService,
  PaymentState as WireState,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { encode } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { idempotencyKeyOf, memberIdOf, waitMsOf } from "@ferry/platform/rpc";
import type { Waiters } from "@ferry/platform/saga";
import type { NewPayment, PaymentRow } from "../app/payment-row.ts";
import type { ListPayments } from "../app/read-payments.ts";
import type { Created } from "../app/replay.ts";
import { isPaymentAtRest, type PaymentState, type PaymentTopUp } from "../domain/payment.ts";

/** Names the UUIDs of payments; made once, at random. */
const NAMESPACE = "3b1f7f0a-6a37-4b38-8a3e-0a4f1c6a9d27";
const CREATE = "ferry.payment.v1.PaymentService/CreatePayment";

export interface PaymentRpcsDeps {
  create(request: NewPayment): Promise<Created<PaymentRow>>;
  get(memberId: string, id: string): Promise<Payment>;
  list(request: ListPayments): Promise<{ payments: Payment[]; nextPageToken: string }>;
  cancel(memberId: string, id: string): Promise<void>;
  waiters: Waiters<Payment>;
}

type PaymentRpcs = Pick<
  ServiceImpl<typeof PaymentService>,
  "createPayment" | "getPayment" | "listPayments" | "cancelPayment"
>;

/** @throws FerryError CURRENCY_MISMATCH when the top-up is in another currency than the payment. */
function topUpOf({ topUp, amount }: CreatePaymentRequest): PaymentTopUp | undefined {
  if (topUp === undefined) return undefined;
  if (topUp.amount !== undefined && topUp.amount.currency !== amount?.currency)
    throw new FerryError("CURRENCY_MISMATCH", `top_up.amount.currency: the payment is in ${amount?.currency}`);
  const { bankCode = "", accountNumber = "" } = topUp.bankAccount ?? {};
  return { bankCode, accountNumber, amountMinor: topUp.amount?.minorUnits };
}

function newPaymentOf(received: CreatePaymentRequest, memberId: string, key: string): NewPayment {
  // A UUID is the same in either case, so the request that is kept and compared has it in lower case.
  const sourceAccountId = received.sourceAccountId.toLowerCase();
  const merchantAccountId = received.merchantAccountId.toLowerCase();
  const request = { ...received, sourceAccountId, merchantAccountId };
  return {
    id: nameUuid(NAMESPACE, `${memberId}\n${CREATE}\n${key}`),
    requestHash: hash("sha256", encode(CreatePaymentRequestSchema, request), "buffer"),
    ...{ memberId, sourceAccountId, merchantAccountId, memo: request.memo, topUp: topUpOf(request) },
    currency: request.amount?.currency ?? "",
    amountMinor: request.amount?.minorUnits ?? 0n,
  };
}

const STATE_NAMES = new Map(Object.entries(WireState).map(([name, number]) => [Number(number), name as PaymentState]));

export function createPaymentRpcs({ create, get, list, cancel, waiters }: PaymentRpcsDeps): PaymentRpcs {
  async function createPayment(request: CreatePaymentRequest, context: HandlerContext) {
    const memberId = memberIdOf(context);
    const payment = newPaymentOf(request, memberId, idempotencyKeyOf(context));
    const waitMs = waitMsOf(context);
    // Registered before the commit, so that the end cannot slip through between the record and the wait.
    const waiting = waitMs > 0 ? waiters.wait(payment.id, waitMs) : undefined;
    try {
      const { row, replayed } = await create(payment);
      const ended = isPaymentAtRest(row.state) ? undefined : await waiting?.done;
      return { payment: ended ?? (await get(memberId, row.id)), replayed };
    } finally {
      waiting?.cancel();
    }
  }

  return {
    createPayment,
    async getPayment({ paymentId }, context) {
      return { payment: await get(memberIdOf(context), paymentId.toLowerCase()) };
    },
    listPayments({ state, received, pageSize, pageToken }, context) {
      const wanted = state === WireState.UNSPECIFIED ? undefined : STATE_NAMES.get(Number(state));
      return list({ memberId: memberIdOf(context), received, state: wanted, pageSize, pageToken });
    },
    async cancelPayment({ paymentId }, context) {
      const memberId = memberIdOf(context);
      await cancel(memberId, paymentId.toLowerCase());
      return { payment: await get(memberId, paymentId.toLowerCase()) };
    },
  };
}
