import type { RefundNotPaidOut } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  CreditAccountRequestSchema,
  PlaceHoldRequestSchema,
  RefundBookedSchema,
  RefundNotBookedSchema,
  RefundTakenBackSchema,
  SettleHoldRequestSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import type { RefundRequested } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { BankAccountSchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { create } from "@ferry/platform/codec";
import type { Transaction } from "@ferry/platform/db";
import { invalidRequest } from "@ferry/platform/errors";
import type { Outbox, OutgoingMessage } from "@ferry/platform/outbox";
import type { Outcome } from "../domain/books.ts";
import { type Command, type Refusal, refusalMessages } from "../domain/commands.ts";
import type { CarryOut } from "./carry-out.ts";
import { toCommand } from "./messages.ts";

/** Something that another service has said of a refund. */
export interface Heard<Event> {
  event: Event;
  traceparent: string | undefined;
}

export interface RefundsDeps {
  carryOut: CarryOut;
  outbox: Pick<Outbox, "add">;
}

/** The first thing that the ledger says of a refund, and the one that may follow it. */
const [FIRST, SECOND] = [1n, 2n];

/**
 * A refund is a hold on the merchant's account that is settled at once, both under the refund's id: so
 * whatever holds of a transfer's booking holds of it, and hearing of it twice books it once.
 */
function commandsFor({ refundId, merchantMemberId, merchantAccountId, destination, amount }: RefundRequested) {
  const booked = { transferId: refundId, sourceAccountId: merchantAccountId };
  const hold = create(PlaceHoldRequestSchema, {
    ...{ ...booked, payerMemberId: merchantMemberId, amount },
    destinationAccountId: destination.case === "payerAccountId" ? destination.value : "",
  });
  const settle = create(SettleHoldRequestSchema, {
    ...booked,
    destination:
      destination.case === "payerAccountId"
        ? { case: "destinationAccountId", value: destination.value }
        : { case: "destinationBankAccount", value: bankAccountOf(destination) },
  });
  return [toCommand(hold), toCommand(settle)] as const;
}

function bankAccountOf(destination: RefundRequested["destination"]) {
  if (destination.case === "bankAccount") return destination.value;
  throw invalidRequest([{ field: "destination", description: "is missing" }]);
}

/** Whether a refund was booked to this bank: asked by settling it again, which changes nothing. */
function settledOf({ refundId, merchantAccountId, bankAccount }: RefundNotPaidOut): Command {
  const destination = { case: "destinationBankAccount" as const, value: bankAccount ?? create(BankAccountSchema, {}) };
  const fields = { transferId: refundId, sourceAccountId: merchantAccountId, destination };
  return toCommand(create(SettleHoldRequestSchema, fields));
}

/** The way back: from clearing to the merchant, or to suspense when the account was closed meanwhile. */
function creditOf({ refundId, merchantAccountId, amount, bankAccount }: RefundNotPaidOut): Command {
  const fields = { reference: refundId, accountId: merchantAccountId, amount, source: bankAccount };
  return toCommand(create(CreditAccountRequestSchema, fields));
}

function eventOf({ event, traceparent }: Heard<RefundRequested>, refusal: Refusal | undefined): OutgoingMessage {
  const { refundId, paymentId, merchantAccountId, destination, amount, memo } = event;
  if (refusal !== undefined) {
    const failure = { code: refusal, message: refusalMessages[refusal] };
    const message = create(RefundNotBookedSchema, { refundId, paymentId, failure, version: FIRST });
    return { id: `${refundId}:not-booked`, schema: RefundNotBookedSchema, message, traceparent };
  }
  const content = { refundId, paymentId, merchantAccountId, destination, amount, memo, version: FIRST };
  const message = create(RefundBookedSchema, content);
  return { id: `${refundId}:booked`, schema: RefundBookedSchema, message, traceparent };
}

/** The ledger's part in a refund, which nobody coordinates: it reacts to what the others say, and says what it did. */
export function createRefunds({ carryOut, outbox }: RefundsDeps) {
  return {
    /**
     * Books refunds that were asked for, or says why not, in one transaction with the event.
     *
     * @throws FerryError INVALID_REQUEST for an event that can never be booked.
     */
    async book(tx: Transaction, requested: readonly Heard<RefundRequested>[]): Promise<void> {
      if (requested.length === 0) return;
      const outcomes = await carryOut(
        tx,
        requested.flatMap(({ event }) => commandsFor(event)),
      );
      const refusals = requested.map((_, index) => outcomes[2 * index]?.refusal ?? outcomes[2 * index + 1]?.refusal);
      // A hold that could be placed and not settled is given back: nothing of a refund is left half-done.
      const leftOpen = requested.flatMap((_, index) => releaseOf(outcomes[2 * index]!, outcomes[2 * index + 1]!));
      await carryOut(tx, leftOpen);
      await outbox.add(
        tx,
        requested.map((heard, index) => eventOf(heard, refusals[index])),
      );
    },

    /**
     * Takes back what was booked for refunds that the bank has refused, and says so.
     *
     * @throws FerryError INVALID_REQUEST for a refund that was not booked to this bank: money that never
     * left cannot come back.
     */
    async takeBack(tx: Transaction, refused: readonly Heard<RefundNotPaidOut>[]): Promise<void> {
      if (refused.length === 0) return;
      const checks = await carryOut(
        tx,
        refused.map(({ event }) => settledOf(event)),
      );
      if (checks.some(({ refusal }) => refusal !== undefined))
        throw invalidRequest([{ field: "refund_id", description: "was not booked from this account to a bank" }]);
      const outcomes = await carryOut(
        tx,
        refused.map(({ event }) => creditOf(event)),
      );
      const failed = outcomes.find(({ refusal }) => refusal !== undefined);
      if (failed !== undefined) throw new Error(`a refund could not be taken back: ${failed.refusal}`);
      await outbox.add(
        tx,
        refused.map(({ event: { refundId, paymentId, failure }, traceparent }) => ({
          ...{ id: `${refundId}:taken-back`, schema: RefundTakenBackSchema, traceparent },
          message: create(RefundTakenBackSchema, { refundId, paymentId, failure, version: SECOND }),
        })),
      );
    },
  };
}

function releaseOf(hold: Outcome, settle: Outcome): Command[] {
  if (hold.refusal !== undefined || settle.refusal === undefined || hold.command.kind !== "place-hold") return [];
  const { transferId, sourceAccountId } = hold.command;
  return [{ kind: "release-hold", transferId, sourceAccountId }];
}
