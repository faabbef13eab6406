import { hash } from "node:crypto";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type CreateTopUpRequest,
  CreateTopUpRequestSchema,
  type PaymentService,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { encode } from "@ferry/platform/codec";
import { nameUuid } from "@ferry/platform/db";
import { FerryError } from "@ferry/platform/errors";
import { idempotencyKeyOf, memberIdOf, waitMsOf } from "@ferry/platform/rpc";
import type { Waiters } from "@ferry/platform/saga";
import type { Created } from "../app/replay.ts";
import { toTopUpMessage } from "../app/top-up-message.ts";
import type { NewTopUp, TopUpRow } from "../app/top-up-row.ts";
import { isAtRest } from "../domain/top-up.ts";

/** Names the UUIDs of top-ups; made once, at random. */
const NAMESPACE = "f0a52f86-5bc7-4b3a-a4c7-7f1d3d0c9e52";
const CREATE = "ferry.payment.v1.PaymentService/CreateTopUp";

export interface TopUpRpcsDeps {
  create(request: NewTopUp): Promise<Created<TopUpRow>>;
  find(id: string): Promise<TopUpRow | undefined>;
  waiters: Waiters<TopUpRow>;
}

function newTopUpOf(received: CreateTopUpRequest, memberId: string, key: string): NewTopUp {
  // A UUID is the same in either case, so the request that is kept and compared has it in lower case.
  const request = { ...received, accountId: received.accountId.toLowerCase() };
  return {
    id: nameUuid(NAMESPACE, `${memberId}\n${CREATE}\n${key}`),
    requestHash: hash("sha256", encode(CreateTopUpRequestSchema, request), "buffer"),
    memberId,
    accountId: request.accountId,
    bankCode: request.bankAccount?.bankCode ?? "",
    accountNumber: request.bankAccount?.accountNumber ?? "",
    currency: request.amount?.currency ?? "",
    amountMinor: request.amount?.minorUnits ?? 0n,
    paymentId: undefined,
  };
}

type TopUpRpcs = Pick<ServiceImpl<typeof PaymentService>, "createTopUp" | "getTopUp">;

export function createTopUpRpcs({ create, find, waiters }: TopUpRpcsDeps): TopUpRpcs {
  async function get(memberId: string, id: string): Promise<TopUpRow> {
    const found = await find(id);
    if (found?.memberId !== memberId) throw new FerryError("NOT_FOUND", `no top-up ${id}`);
    return found;
  }

  async function createTopUp(request: CreateTopUpRequest, context: HandlerContext) {
    const memberId = memberIdOf(context);
    const topUp = newTopUpOf(request, memberId, idempotencyKeyOf(context));
    const waitMs = waitMsOf(context);
    // Registered before the commit, so that the end cannot slip through between the record and the wait.
    const waiting = waitMs > 0 ? waiters.wait(topUp.id, waitMs) : undefined;
    try {
      const { row, replayed } = await create(topUp);
      const over = isAtRest(row.state);
      if (waiting === undefined || over) return { topUp: toTopUpMessage(row), replayed };
      return { topUp: toTopUpMessage((await waiting.done) ?? (await get(memberId, row.id))), replayed };
    } finally {
      waiting?.cancel();
    }
  }

  return {
    createTopUp,
    async getTopUp({ topUpId }, context) {
      return { topUp: toTopUpMessage(await get(memberIdOf(context), topUpId.toLowerCase())) };
    },
  };
}
