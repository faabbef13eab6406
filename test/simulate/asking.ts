import type { DescEnum, DescService } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  PaymentService,
  PaymentStateSchema,
  RefundStateSchema,
  TopUpStateSchema,
} from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import {
  TransferBatchMode,
  TransferBatchService,
  TransferBatchStateSchema,
} from "@ferry/gen/ferry/transfer/v1/batch_pb.ts";
import { TransferService, TransferStateSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import type { Calls } from "./calls.ts";
import type { Goal, Wish } from "./promises.ts";

export const CURRENCY = "EUR";
const BANK_CODE = "081";
const ENDS = new Set(["COMPLETED", "FAILED", "CANCELED"]);

/** What an answer says: whose it is, and its end when it has come to one. */
export interface Told {
  id: string;
  end: string | undefined;
}

const bankAccount = (accountNumber: string) => ({ bankCode: BANK_CODE, accountNumber });
const money = (minorUnits: bigint) => ({ currency: CURRENCY, minorUnits });

/** Reads id and end of whatever was recorded. */
function toldBy(states: DescEnum, answer: { id: string; state: number } | undefined): Told {
  if (answer === undefined) throw new Error("an answer holds nothing");
  const name = states.value[answer.state]?.localName ?? "";
  return { id: answer.id, end: ENDS.has(name) ? name : undefined };
}

function destinationOf(goal: Goal) {
  switch (goal.kind) {
    case "bank":
      return { kind: { case: "bankAccount" as const, value: bankAccount(goal.accountNumber) } };
    case "account":
      return { kind: { case: "accountId" as const, value: goal.accountId } };
    default:
      throw new Error(`no transfer goes to a ${goal.kind}`);
  }
}

/** Puts wishes into the words of the contracts. */
export function createAsking(calls: Calls) {
  const clientOf = <S extends DescService>(
    service: S,
    target: "transfer" | "payment",
    wish: Wish,
    waitMs = 0,
  ): Client<S> =>
    calls.client(service, target, { kind: "member", id: wish.memberId, idempotencyKey: wish.key, waitMs });

  async function ask(wish: Wish, waitMs: number, amountMinor = wish.amountMinor): Promise<Told> {
    const { goal, accountId, kind } = wish;
    const [transfers, batches, payments] = [
      clientOf(TransferService, "transfer", wish, waitMs),
      clientOf(TransferBatchService, "transfer", wish, waitMs),
      clientOf(PaymentService, "payment", wish, waitMs),
    ];
    const amount = money(amountMinor);
    if (goal.kind === "merchant") {
      const topUp = goal.topUpFrom === undefined ? undefined : { bankAccount: bankAccount(goal.topUpFrom) };
      const request = { sourceAccountId: accountId, merchantAccountId: goal.accountId, amount, topUp };
      return toldBy(PaymentStateSchema, (await payments.createPayment(request)).payment);
    }
    if (goal.kind === "refund") {
      const target = goal.accountNumber === undefined ? undefined : bankAccount(goal.accountNumber);
      const request = { paymentId: goal.paymentId, amount, bankAccount: target };
      return toldBy(RefundStateSchema, (await payments.createRefund(request)).refund);
    }
    if (goal.kind === "lines") {
      const mode = goal.allOrNothing ? TransferBatchMode.ALL_OR_NOTHING : TransferBatchMode.BEST_EFFORT;
      const lines = goal.lines.map((line, index) => ({
        ...{ destination: destinationOf(line.goal), amount: money(line.amountMinor), reference: `line ${index}` },
      }));
      return toldBy(
        TransferBatchStateSchema,
        (await batches.createTransferBatch({ sourceAccountId: accountId, mode, lines })).batch,
      );
    }
    if (kind === "top-up" && goal.kind === "bank") {
      const request = { accountId, bankAccount: bankAccount(goal.accountNumber), amount };
      return toldBy(TopUpStateSchema, (await payments.createTopUp(request)).topUp);
    }
    const { executeAtMs, expireAtMs } = wish;
    const request = {
      ...{ sourceAccountId: accountId, destination: destinationOf(goal), amount, memo: "rent" },
      executeTime: executeAtMs === undefined ? undefined : timestampFromMs(executeAtMs),
      expireTime: expireAtMs === undefined ? undefined : timestampFromMs(expireAtMs),
    };
    return toldBy(TransferStateSchema, (await transfers.createTransfer(request)).transfer);
  }

  async function look(wish: Wish, id: string): Promise<Told> {
    const payments = clientOf(PaymentService, "payment", wish);
    switch (wish.kind) {
      case "transfer":
        return toldBy(
          TransferStateSchema,
          (await clientOf(TransferService, "transfer", wish).getTransfer({ transferId: id })).transfer,
        );
      case "batch":
        return toldBy(
          TransferBatchStateSchema,
          (await clientOf(TransferBatchService, "transfer", wish).getTransferBatch({ batchId: id })).batch,
        );
      case "top-up":
        return toldBy(TopUpStateSchema, (await payments.getTopUp({ topUpId: id })).topUp);
      case "payment":
        return toldBy(PaymentStateSchema, (await payments.getPayment({ paymentId: id })).payment);
      case "refund": {
        const paymentId = wish.goal.kind === "refund" ? wish.goal.paymentId : "";
        return toldBy(RefundStateSchema, (await payments.getRefund({ paymentId, refundId: id })).refund);
      }
      default:
        return wish.kind satisfies never;
    }
  }

  /** Asks to take it back. */
  async function cancel(wish: Wish, id: string): Promise<Told | undefined> {
    switch (wish.kind) {
      case "transfer":
        return toldBy(
          TransferStateSchema,
          (await clientOf(TransferService, "transfer", wish).cancelTransfer({ transferId: id })).transfer,
        );
      case "batch":
        return toldBy(
          TransferBatchStateSchema,
          (await clientOf(TransferBatchService, "transfer", wish).cancelTransferBatch({ batchId: id })).batch,
        );
      case "payment":
        return toldBy(
          PaymentStateSchema,
          (await clientOf(PaymentService, "payment", wish).cancelPayment({ paymentId: id })).payment,
        );
      default:
        return undefined;
    }
  }

  return { ask, look, cancel };
}
