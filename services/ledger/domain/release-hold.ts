import type { Draft } from "./books.ts";
import type { Refusal, ReleaseHold } from "./commands.ts";

/** Gives a hold back. One that has not come yet is refused when it comes: the release leaves a tombstone. */
export function releaseHold(draft: Draft, command: ReleaseHold): Refusal | undefined {
  const hold = draft.hold(command.transferId);
  if (hold === undefined) {
    const { transferId, sourceAccountId: accountId } = command;
    draft.saveHold({ transferId, accountId, state: "tombstone", terms: undefined, refusal: undefined });
    return undefined;
  }
  if (hold.accountId !== command.sourceAccountId) return "REFERENCE_REUSED";
  switch (hold.state) {
    case "settled":
      return "HOLD_RELEASED";
    case "released":
    case "refused":
    case "tombstone":
      return undefined;
    case "held": {
      const source = draft.account(hold.accountId);
      if (hold.terms === undefined || source === undefined)
        throw new Error(`hold ${hold.transferId} has no account or no terms`);
      draft.addHeld(source, -hold.terms.amountMinor);
      draft.saveHold({ ...hold, state: "released" });
      return undefined;
    }
    default:
      return hold.state satisfies never;
  }
}
