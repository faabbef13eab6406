import type { ServiceImpl } from "@connectrpc/connect";
import type { LedgerService } from "@ferry/gen/ferry/ledger/v1/ledger_pb.ts";
import { createBatcher, type Database } from "@ferry/platform/db";
import type { CarryOut } from "../app/carry-out.ts";
import { type CommandMessage, toCommand, toReply } from "../app/messages.ts";
import type { Outcome } from "../domain/books.ts";
import type { Command } from "../domain/commands.ts";

type CommandRpcs = Pick<
  ServiceImpl<typeof LedgerService>,
  "placeHold" | "settleHold" | "releaseHold" | "creditAccount"
>;

/** The same commands as over the bus, asked directly: concurrent calls of all four kinds make one set. */
export function createCommandRpcs({ database, carryOut }: { database: Database; carryOut: CarryOut }): CommandRpcs {
  const batcher = createBatcher<Command, Outcome>({
    run: (commands) => database.transaction((tx) => carryOut(tx, commands)),
  });

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
