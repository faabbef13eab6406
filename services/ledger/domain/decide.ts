import { type Books, type Changes, type Draft, type Outcome, openDraft } from "./books.ts";
import type { Command, Refusal } from "./commands.ts";
import { creditAccount } from "./credit-account.ts";
import { missingMinorOf, placeHold } from "./place-hold.ts";
import { receiveTransfer } from "./receive-transfer.ts";
import { releaseHold } from "./release-hold.ts";
import { settleHold } from "./settle-hold.ts";

export interface Decision {
  /** One for each command, in their order. */
  outcomes: Outcome[];
  changes: Changes;
}

/**
 * Decides a mixed set of commands in the order of arrival.
 *
 * Commands on one account see each other's effect, so a hot account needs one row update per set
 * rather than one per command. How a sequence is cut into sets makes no difference to the outcome.
 */
export function decide(books: Books, commands: readonly Command[]): Decision {
  const draft = openDraft(books);
  const outcomes = commands.map((command): Outcome => {
    const refusal = carryOut(draft, command);
    if (refusal !== "INSUFFICIENT_BALANCE" || command.kind !== "place-hold") return { command, refusal };
    return { command, refusal, missingMinor: missingMinorOf(draft, command) };
  });
  return { outcomes, changes: draft.changes() };
}

function carryOut(draft: Draft, command: Command): Refusal | undefined {
  switch (command.kind) {
    case "place-hold":
      return placeHold(draft, command);
    case "settle-hold":
      return settleHold(draft, command);
    case "release-hold":
      return releaseHold(draft, command);
    case "credit-account":
      return creditAccount(draft, command);
    case "receive-transfer":
      return receiveTransfer(draft, command);
    default:
      return command satisfies never;
  }
}
