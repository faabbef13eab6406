import {
  CollectPaymentRequestSchema,
  InquirePaymentRequestSchema,
  SendPaymentRequestSchema,
  VerifyAccountRequestSchema,
  VoidPaymentRequestSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import { invalidRequest } from "@ferry/platform/errors";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { BankCall } from "../app/bank-call.ts";
import { type BankingCommand, operationOf } from "../app/operations.ts";

const TOPIC = "ferry.banking.commands.v1";
const REPLY_TOPIC = /^ferry\.[a-z]+\.replies\.v1$/;

export interface BankingCommandsDeps {
  bus: Bus;
  admit(calls: readonly BankCall[]): Promise<void>;
  answerExpired(calls: readonly BankCall[]): Promise<void>;
}

/** @throws FerryError INVALID_REQUEST: such a message can never be answered, and goes to the dead letters alone. */
function callOf(envelope: Envelope<BankingCommand>): BankCall {
  const { id, message, replyTo, sagaId, sagaStep, traceparent } = envelope;
  if (replyTo !== undefined && !REPLY_TOPIC.test(replyTo))
    throw invalidRequest([{ field: "reply_to", description: "must be a topic for replies" }]);
  const route = replyTo === undefined ? undefined : { replyTo, sagaId, sagaStep };
  return { id, ...operationOf(message), route, traceparent };
}

/** Takes commands from the bus: those in time are recorded and made, the others are answered EXPIRED. */
export function createBankingCommands({ bus, admit, answerExpired }: BankingCommandsDeps): Component {
  let subscription: Subscription | undefined;

  async function handle(set: readonly Envelope<BankingCommand>[]): Promise<void> {
    const nowMs = Date.now();
    const received = set.map((envelope) => ({
      call: callOf(envelope),
      late: envelope.expiresAt !== undefined && envelope.expiresAt.getTime() <= nowMs,
    }));
    const pick = (late: boolean) => received.filter((each) => each.late === late).map(({ call }) => call);
    // First what is in time: whether a late payment may be a repetition is told by what was recorded before it.
    await admit(pick(false));
    await answerExpired(pick(true));
  }

  return {
    name: "banking-commands",
    async start() {
      await bus.ensureTopics([{ name: TOPIC }]);
      subscription = await consume(bus, {
        group: "banking",
        topics: [TOPIC],
        schemas: [
          VerifyAccountRequestSchema,
          SendPaymentRequestSchema,
          CollectPaymentRequestSchema,
          InquirePaymentRequestSchema,
          VoidPaymentRequestSchema,
        ],
        handle,
      });
    },
    stop: async () => subscription?.stop(),
    unready: () => subscription?.unready(),
  };
}
