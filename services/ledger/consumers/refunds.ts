import { getOption } from "@bufbuild/protobuf";
import { type RefundNotPaidOut, RefundNotPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { type RefundRequested, RefundRequestedSchema } from "@ferry/gen/ferry/payment/v1/payment_pb.ts";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { Heard } from "../app/refunds.ts";

const SCHEMAS = [RefundRequestedSchema, RefundNotPaidOutSchema] as const;

/** Where the contracts say that payment and banking tell of refunds. */
const TOPICS = SCHEMAS.map((schema) => getOption(schema, messagePolicy).topic);

interface Options {
  bus: Bus;
  refunds: {
    book(requested: readonly Heard<RefundRequested>[]): Promise<void>;
    takeBack(refused: readonly Heard<RefundNotPaidOut>[]): Promise<void>;
  };
}

/**
 * Hears of refunds. Other events on the same topics are not for the ledger. What was asked for is booked
 * in one transaction and what was refused is taken back in another, so that both lock in the order of all.
 */
export function createRefundsConsumer({ bus, refunds }: Options): Component {
  let subscription: Subscription | undefined;

  async function handle(set: readonly Envelope<RefundRequested | RefundNotPaidOut>[]): Promise<void> {
    const requested: Heard<RefundRequested>[] = [];
    const refused: Heard<RefundNotPaidOut>[] = [];
    for (const { message, traceparent } of set)
      if (message.$typeName === "ferry.payment.v1.RefundRequested") requested.push({ event: message, traceparent });
      else refused.push({ event: message, traceparent });
    if (requested.length > 0) await refunds.book(requested);
    if (refused.length > 0) await refunds.takeBack(refused);
  }

  return {
    name: "refunds",
    async start() {
      const group = "ledger-refunds";
      subscription = await consume(bus, { group, topics: TOPICS, schemas: SCHEMAS, handle, unknownTypes: "ignore" });
    },
    async stop() {
      await subscription?.stop();
      subscription = undefined;
    },
    unready: () => (subscription === undefined ? "not consuming" : subscription.unready()),
  };
}
