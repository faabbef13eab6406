import { type Account, availableMinor, fitsInt64 } from "./account.ts";
import type { Draft, Hold, HoldTerms } from "./books.ts";
import type { PlaceHold, Refusal } from "./commands.ts";

/**
 * Places a hold, and remembers a refusal as well, so that the same transfer id gets the same answer.
 * A hold that is over is answered with HOLD_RELEASED and not with what was said when it was placed:
 * whoever hears that a hold is placed goes on and pays. Only a provisional hold's lack of money is not
 * kept, so that the same transfer can ask again once there is more.
 */
export function placeHold(draft: Draft, command: PlaceHold): Refusal | undefined {
  const known = draft.hold(command.transferId);
  if (known !== undefined) return answerAgain(known, command);
  if (command.expired) return "EXPIRED";

  const source = draft.account(command.sourceAccountId);
  const refusal = refusalOf(draft, command, source);
  if (refusal === "INSUFFICIENT_BALANCE" && command.provisional) return refusal;
  const { payerMemberId, amountMinor, currency, destinationAccountId } = command;
  if (source !== undefined && refusal === undefined) draft.addHeld(source, amountMinor);
  draft.saveHold({
    transferId: command.transferId,
    accountId: command.sourceAccountId,
    state: refusal === undefined ? "held" : "refused",
    terms: { payerMemberId, amountMinor, currency, destinationAccountId },
    refusal,
  });
  return refusal;
}

/** By how much the money is short for a provisional hold that was just refused for lack of it. */
export function missingMinorOf(draft: Draft, command: PlaceHold): bigint | undefined {
  const source = draft.account(command.sourceAccountId);
  if (!command.provisional || source === undefined || draft.hold(command.transferId) !== undefined) return undefined;
  return command.amountMinor - availableMinor(source);
}

function answerAgain(known: Hold, command: PlaceHold): Refusal | undefined {
  if (known.terms !== undefined && (known.accountId !== command.sourceAccountId || !sameTerms(known.terms, command)))
    return "REFERENCE_REUSED";
  switch (known.state) {
    case "held":
    case "settled":
      return undefined;
    case "refused":
      return known.refusal;
    case "released":
    case "tombstone":
      return "HOLD_RELEASED";
    default:
      return known.state satisfies never;
  }
}

function sameTerms(one: HoldTerms, other: HoldTerms): boolean {
  return (
    one.payerMemberId === other.payerMemberId &&
    one.amountMinor === other.amountMinor &&
    one.currency === other.currency &&
    one.destinationAccountId === other.destinationAccountId
  );
}

function refusalOf(draft: Draft, command: PlaceHold, source: Account | undefined): Refusal | undefined {
  if (source === undefined || source.kind !== "member" || source.ownerId !== command.payerMemberId)
    return "ACCOUNT_UNKNOWN";
  if (source.state === "closed") return "ACCOUNT_CLOSED";
  if (source.state === "frozen") return "ACCOUNT_FROZEN";
  if (source.currency !== command.currency) return "CURRENCY_MISMATCH";
  return destinationRefusalOf(draft, command) ?? fundsRefusalOf(source, command);
}

function fundsRefusalOf(source: Account, command: PlaceHold): Refusal | undefined {
  return availableMinor(source) < command.amountMinor ? "INSUFFICIENT_BALANCE" : undefined;
}

/** The destination is checked before any money is set aside, so that the settle cannot fail on it. */
function destinationRefusalOf(draft: Draft, command: PlaceHold): Refusal | undefined {
  if (command.destinationAccountId === undefined) return undefined;
  if (command.destinationAccountId === command.sourceAccountId) return "SAME_ACCOUNT";
  const destination = draft.account(command.destinationAccountId);
  if (destination === undefined || destination.kind !== "member") return "DESTINATION_UNKNOWN";
  if (destination.state === "closed") return "ACCOUNT_CLOSED";
  if (destination.currency !== command.currency) return "CURRENCY_MISMATCH";
  return fitsInt64(destination.balanceMinor + command.amountMinor) ? undefined : "AMOUNT_OUT_OF_RANGE";
}
