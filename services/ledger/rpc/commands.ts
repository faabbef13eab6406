import type { ServiceImpl } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createBatcher } from "@ferry/platform/db";
import { type CommandMessage, toCommand, toReply } from "../app/messages.ts";
import type { Outcome } from "../domain/books.ts";
import type { Command } from "../domain/commands.ts";

type CommandRpcs = Pick<
  ServiceImpl<typeof LedgerService>,
  "placeHold" | "settleHold" | "releaseHold" | "creditAccount"
>;

/** Carries out a set in one transaction, or over several databases; the outcomes come in the order of the commands. */
type CarryOutSet = (commands: readonly Command[]) => Promise<Outcome[]>;

/** The same commands as over the bus, asked directly: concurrent calls of all four kinds make one set. */
export function createCommandRpcs({ carryOutSet }: { carryOutSet: CarryOutSet }): CommandRpcs {
  const batcher = createBatcher<Command, Outcome>({ run: carryOutSet });

  /** The reply to a request is the response of its rpc. */
  async function answer<Response>(request: CommandMessage): Promise<Response> {
    return toReply(request, await batcher.add(toCommand(request))).message as Response;
  }

  return {
    placeHold: (request) => answer(request),
    settleHold: (request) => answer(request),
    releaseHold: (request) => answer(request),
    creditAccount: (request) => answer(request),
  };
}
