import { getOption } from "@bufbuild/protobuf";
import { type RefundPaidOut, RefundPaidOutSchema } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import {
  type RefundBooked,
  RefundBookedSchema,
  type RefundNotBooked,
  RefundNotBookedSchema,
  type RefundTakenBack,
  RefundTakenBackSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import type { Failure } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { isUuid } from "@ferry/platform/db";
import { invalidRequest } from "@ferry/platform/errors";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { HeardNews } from "../app/follow-refunds.ts";
import type { RefundNews } from "../domain/refund.ts";

type RefundEvent = RefundBooked | RefundNotBooked | RefundTakenBack | RefundPaidOut;

const SCHEMAS = [RefundBookedSchema, RefundNotBookedSchema, RefundTakenBackSchema, RefundPaidOutSchema] as const;

/** Where the contracts say that ledger and banking tell of refunds. */
const TOPICS = [...new Set(SCHEMAS.map((schema) => getOption(schema, messagePolicy).topic))];

function failureOf(failure: Failure | undefined): { code: string; message: string } {
  return { code: failure?.code || "INTERNAL", message: failure?.message ?? "no reason was given" };
}

function newsOf(event: RefundEvent): RefundNews {
  switch (event.$typeName) {
    case "ferry.ledger.v1.RefundBooked":
      return { kind: "booked", towardsBank: event.destination.case === "bankAccount" };
    case "ferry.ledger.v1.RefundNotBooked":
      return { kind: "not-booked", failure: failureOf(event.failure) };
    case "ferry.ledger.v1.RefundTakenBack":
      return { kind: "taken-back", failure: failureOf(event.failure) };
    case "ferry.banking.v1.RefundPaidOut":
      return { kind: "paid-out" };
    default:
      return event satisfies never;
  }
}

/** @throws FerryError INVALID_REQUEST for an event of no refund: it goes to the dead letters alone. */
function heardOf({ message, traceparent }: Envelope<RefundEvent>): HeardNews {
  const { refundId } = message;
  if (!isUuid(refundId)) throw invalidRequest([{ field: "refund_id", description: "must be a UUID" }]);
  return { refundId, news: newsOf(message), traceparent };
}

/**
 * Hears what ledger and banking did for refunds. A bank's refusal is not among it: a refund has failed only
 * when the ledger has taken its booking back.
 */
export function createRefundsConsumer({
  bus,
  follow,
}: {
  bus: Bus;
  follow(heard: readonly HeardNews[]): Promise<void>;
}): Component {
  let subscription: Subscription | undefined;
  return {
    name: "refunds",
    async start() {
      subscription = await consume(bus, {
        group: "payment-refunds",
        topics: TOPICS,
        schemas: SCHEMAS,
        handle: (set) => follow(set.map(heardOf)),
        unknownTypes: "ignore",
      });
    },
    stop: async () => subscription?.stop(),
    unready: () => (subscription === undefined ? "not started" : subscription.unready()),
  };
}
