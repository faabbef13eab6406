import type { Transaction } from "@ferry/platform/db";
import { invalidRequest } from "@ferry/platform/errors";
import type { Outbox } from "@ferry/platform/outbox";
import type { Outcome } from "../domain/books.ts";
import type { Command } from "../domain/commands.ts";
import type { CarryOut } from "./carry-out.ts";
import { type CommandMessage, toReply } from "./messages.ts";
import type { createSpreadCommands } from "./spread-commands.ts";

/** A command as it came over the bus. */
export interface ReceivedCommand {
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
  outbox: Pick<Outbox, "add">;
}

/**
 * Carries out a set from the bus and answers it, in one transaction with the effect.
 *
 * There is no inbox: a hold and a credit are kept for ever under the reference of their command, and
 * refuse a second effect whatever it came with. A command that is delivered again is answered again from
 * them. Whoever asked takes an answer only while it waits for one of that step, and what the ledger does
 * not keep (EXPIRED, HOLD_UNKNOWN) never had an effect. It saves a row and an index entry for each
 * command: a fifth of the ledger's share of PostgreSQL.
 */
export function createAnswerCommands({ carryOut, outbox }: Options) {
  return async (tx: Transaction, received: readonly ReceivedCommand[]): Promise<void> => {
    const commands = received.map(({ command }) => command);
    await carryOut(tx, commands, async (outcomes) => {
      const added = addReplies(tx, outbox, received, outcomes);
      tx.conclude();
      await added;
    });
  };
}

/** Adds the answers to those commands that want one. */
export async function addReplies(
  tx: Transaction,
  outbox: Pick<Outbox, "add">,
  received: readonly ReceivedCommand[],
  outcomes: readonly Outcome[],
): Promise<void> {
  const replies = received.flatMap(({ message, replyTo: topic, sagaId, sagaStep, traceparent }, index) =>
    topic === undefined ? [] : [{ ...toReply(message, outcomes[index]!), topic, sagaId, sagaStep, traceparent }],
  );
  if (replies.length > 0) await outbox.add(tx, replies);
}

type SpreadCarryOut = ReturnType<typeof createSpreadCommands>["carryOut"];

/**
 * The same over several databases: each command is answered in the transaction of the shard that it is keyed to.
 *
 * @throws FerryError INVALID_REQUEST for money that was handed over before under the same reference, for
 * something else: nobody waits for an answer, so it must not pass in silence.
 */
export function createAnswerSpread(carryOut: SpreadCarryOut) {
  return async (received: readonly ReceivedCommand[]): Promise<void> => {
    const outcomes = await carryOut(received, ({ command }) => command, addReplies);
    if (outcomes.some(({ command, refusal }) => command.kind === "receive-transfer" && refusal !== undefined))
      throw invalidRequest([{ field: "reference", description: "was handed over before, for something else" }]);
  };
}
