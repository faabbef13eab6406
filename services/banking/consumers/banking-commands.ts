import {
  CollectPaymentRequestSchema,
  InquirePaymentRequestSchema,
  SendPaymentRequestSchema,
  VerifyAccountRequestSchema,
} from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { Database } from "@ferry/platform/db";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { Outbox } from "@ferry/platform/outbox";
import type { BankCall } from "../app/bank-call.ts";
import { type BankingCommand, operationOf } from "../app/operations.ts";
import { toReply } from "../app/replies.ts";
import { expired } from "../domain/call.ts";

const TOPIC = "ferry.banking.commands.v1";
const REPLY_TOPIC = /^ferry\.[a-z]+\.replies\.v1$/;

export interface BankingCommandsDeps {
  bus: Bus;
  database: Database;
  outbox: Outbox;
  admit(calls: readonly BankCall[]): Promise<void>;
}

function callOf(envelope: Envelope<BankingCommand>): BankCall {
  const { id, message, replyTo, sagaId, sagaStep, traceparent } = envelope;
  const route = replyTo !== undefined && REPLY_TOPIC.test(replyTo) ? { replyTo, sagaId, sagaStep } : undefined;
  return { id, ...operationOf(message), route, traceparent };
}

/** Takes commands from the bus: those in time are recorded and made, the others are answered EXPIRED. */
export function createBankingCommands({ bus, database, outbox, admit }: BankingCommandsDeps): Component {
  let subscription: Subscription | undefined;

  async function handle(set: readonly Envelope<BankingCommand>[]): Promise<void> {
    const now = Date.now();
    const isLate = ({ expiresAt }: Envelope<BankingCommand>) => expiresAt !== undefined && expiresAt.getTime() < now;
    const late = set
      .filter(isLate)
      .map(callOf)
      .filter(({ route }) => route !== undefined);
    if (late.length > 0)
      await database.transaction((tx) =>
        outbox.add(
          tx,
          late.map((call) => toReply(call, expired)),
        ),
      );
    const inTime = set.filter((envelope) => !isLate(envelope)).map(callOf);
    if (inTime.length > 0) await admit(inTime);
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
        ],
        handle,
      });
    },
    stop: async () => subscription?.stop(),
    unready: () => subscription?.unready(),
  };
}
