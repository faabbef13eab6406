import { getOption } from "@bufbuild/protobuf";
import {
  CreditAccountRequestSchema,
  PlaceHoldRequestSchema,
  ReceiveTransferRequestSchema,
  ReleaseHoldRequestSchema,
  SettleHoldRequestSchema,
} from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { message as messagePolicy } from "@ferry/gen/ferry/options/v1/options_pb.ts";
import { invalidRequest } from "@ferry/platform/errors";
import { type Bus, consume, type Envelope, type Subscription } from "@ferry/platform/events";
import type { Component } from "@ferry/platform/lifecycle";
import type { ReceivedCommand } from "../app/answer-commands.ts";
import { type CommandMessage, toCommand } from "../app/messages.ts";

const SCHEMAS = [
  PlaceHoldRequestSchema,
  SettleHoldRequestSchema,
  ReleaseHoldRequestSchema,
  CreditAccountRequestSchema,
] as const;

/** Where the contract says that commands for the ledger come. */
export const commandsTopic = getOption(PlaceHoldRequestSchema, messagePolicy).topic;

const REPLY_TOPIC = /^ferry\.[a-z]+\.replies\.v1$/;

interface Options {
  bus: Bus;
  /** Carries a set out and answers it: whole, or not at all, or so far that it may be given again. */
  answer(received: readonly ReceivedCommand[]): Promise<void>;
  /** Whether money from other shards is taken too. Default false. */
  takesHandOvers?: boolean;
}

/** Takes commands from the bus in sets; with one database a set is one transaction. */
export function createCommandsConsumer({ bus, answer, takesHandOvers = false }: Options): Component {
  const schemas = takesHandOvers ? [...SCHEMAS, ReceiveTransferRequestSchema] : SCHEMAS;
  let subscription: Subscription | undefined;

  async function handle(set: readonly Envelope<CommandMessage>[]): Promise<void> {
    const nowMs = Date.now();
    const received = set.map((envelope) => toReceived(envelope, nowMs));
    await answer(received);
  }

  return {
    name: "commands",
    async start() {
      subscription = await consume(bus, { group: "ledger", topics: [commandsTopic], schemas, handle });
    },
    async stop() {
      await subscription?.stop();
      subscription = undefined;
    },
    unready: () => (subscription === undefined ? "not consuming" : subscription.unready()),
  };
}

/** @throws FerryError INVALID_REQUEST: such a message can never succeed, and goes to the dead letters alone. */
function toReceived(envelope: Envelope<CommandMessage>, nowMs: number): ReceivedCommand {
  const { message, replyTo, sagaId, sagaStep, traceparent, expiresAt } = envelope;
  if (replyTo !== undefined && !REPLY_TOPIC.test(replyTo))
    throw invalidRequest([{ field: "reply_to", description: "must be a topic for replies" }]);
  const expired = expiresAt !== undefined && expiresAt.getTime() <= nowMs;
  return { command: toCommand(message, expired), message, replyTo, sagaId, sagaStep, traceparent };
}
