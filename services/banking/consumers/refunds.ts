import { getOption } from "@bufbuild/protobuf";
import { type RefundBooked, RefundBookedSchema } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { invalidRequest } from "@ferry/platform/errors";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { NewPayout } from "../app/payout.ts";

/** Where the contract says that the ledger tells of refunds. */
const TOPIC = getOption(RefundBookedSchema, messagePolicy).topic;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The payout of a refund; none when it stays on the platform.
 *
 * @throws FerryError INVALID_REQUEST with the name of the field: nothing checks what comes over the bus,
 * and such an event can never be paid.
 */
function payoutOf({ message, traceparent }: Envelope<RefundBooked>): NewPayout[] {
  const { refundId, paymentId, merchantAccountId, destination, amount, memo } = message;
  if (destination.case !== "bankAccount") return [];
  const { bankCode, accountNumber } = destination.value;
  const { currency = "", minorUnits: amountMinor = 0n } = amount ?? {};
  const wrong = [
    ...["refund_id", "payment_id", "merchant_account_id"].filter(
      (_, index) => !UUID.test([refundId, paymentId, merchantAccountId][index]!),
    ),
    ...(/^[0-9]{3}$/.test(bankCode) && /^[0-9]{4,20}$/.test(accountNumber) ? [] : ["bank_account"]),
    ...(/^[A-Z]{3}$/.test(currency) && amountMinor > 0n ? [] : ["amount"]),
  ];
  if (wrong.length > 0) throw invalidRequest(wrong.map((field) => ({ field, description: "cannot be paid" })));
  const facts = { refundId, paymentId, merchantAccountId, memo, traceparent };
  return [{ ...facts, bankCode, accountNumber, currency, amountMinor }];
}

/** Hears of refunds that the ledger has booked. */
export function createRefundsConsumer({
  bus,
  admit,
}: {
  bus: Bus;
  admit(payouts: readonly NewPayout[]): Promise<void>;
}): Component {
  let subscription: Subscription | undefined;
  return {
    name: "refunds",
    async start() {
      subscription = await consume(bus, {
        group: "banking-refunds",
        topics: [TOPIC],
        schemas: [RefundBookedSchema],
        handle: (set) => admit(set.flatMap(payoutOf)),
        unknownTypes: "ignore",
      });
    },
    stop: async () => subscription?.stop(),
    unready: () => subscription?.unready(),
  };
}
