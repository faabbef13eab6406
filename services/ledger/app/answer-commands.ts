import type { Transaction } from "@ferry/platform/db";
import type { Inbox } from "@ferry/platform/inbox";
import type { Outbox } from "@ferry/platform/outbox";
import type { Command } from "../domain/commands.ts";
import type { CarryOut } from "./carry-out.ts";
import { type CommandMessage, toReply } from "./messages.ts";

/** A command as it came over the bus. */
export interface ReceivedCommand {
  /** The same for every delivery. */
  id: string;
  command: Command;
  message: CommandMessage;
  /** Topic that wants the answer; without it the command is carried out and not answered. */
  replyTo: string | undefined;
  sagaId: string | undefined;
  sagaStep: string | undefined;
  traceparent: string | undefined;
}

interface Options {
  carryOut: CarryOut;
  inbox: Inbox;
  outbox: Pick<Outbox, "add">;
}

/**
 * Carries out a set from the bus and answers it, in one transaction with the effect. What was
 * received before is neither carried out nor answered again: its answer left with its effect.
 */
export function createAnswerCommands({ carryOut, inbox, outbox }: Options) {
  return async (tx: Transaction, received: readonly ReceivedCommand[]): Promise<void> => {
    const fresh = await inbox.admit(tx, received);
    const outcomes = await carryOut(
      tx,
      fresh.map(({ command }) => command),
    );
    const replies = fresh.flatMap(({ message, replyTo: topic, sagaId, sagaStep, traceparent }, index) =>
      topic === undefined ? [] : [{ ...toReply(message, outcomes[index]!), topic, sagaId, sagaStep, traceparent }],
    );
    if (replies.length > 0) await outbox.add(tx, replies);
  };
}
