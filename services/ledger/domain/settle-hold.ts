import { type Account, fitsInt64 } from "./account.ts";
import type { Draft, Hold, HoldTerms } from "./books.ts";
import type { Destination, Refusal, SettleHold } from "./commands.ts";

/** Pays what a hold set aside: from the payer to an account, to a bank through clearing, to another shard through transit, or to suspense. */
export function settleHold(draft: Draft, command: SettleHold): Refusal | undefined {
  const hold = draft.hold(command.transferId);
  if (hold === undefined) return "HOLD_UNKNOWN";
  switch (hold.state) {
    case "refused":
      return "HOLD_UNKNOWN";
    case "released":
    case "tombstone":
      return "HOLD_RELEASED";
    case "settled":
      return fits(hold, command) ? undefined : "REFERENCE_REUSED";
    case "held":
      return fits(hold, command) ? pay(draft, hold, command) : "REFERENCE_REUSED";
    default:
      return hold.state satisfies never;
  }
}

/** Whether a settle pays where its hold said that the money is to go. */
function fits(hold: Hold, { sourceAccountId, destination }: SettleHold): boolean {
  const accountId = destination.kind === "bank" ? undefined : destination.accountId;
  return hold.accountId === sourceAccountId && hold.terms?.destinationAccountId === accountId;
}

function pay(draft: Draft, hold: Hold, command: SettleHold): Refusal | undefined {
  const { terms } = hold;
  const source = draft.account(hold.accountId);
  if (terms === undefined || source === undefined)
    throw new Error(`hold ${hold.transferId} has no account or no terms`);
  const destination = payeeOf(draft, terms, command.destination);
  // The hold stays: who asks again after the payee has spent some of it will succeed.
  if (!fitsInt64(destination.balanceMinor + terms.amountMinor)) return "AMOUNT_OUT_OF_RANGE";
  draft.move(hold.transferId, "transfer", terms.amountMinor, source, destination);
  draft.saveHold({ ...hold, state: "settled" });
  if (command.destination.kind === "shard") {
    const { amountMinor, currency } = terms;
    draft.depart({ reference: hold.transferId, accountId: command.destination.accountId, amountMinor, currency });
  }
  return undefined;
}

function payeeOf(draft: Draft, { currency }: HoldTerms, destination: Destination): Account {
  if (destination.kind === "bank")
    return draft.internal({ kind: "clearing", bankCode: destination.bankCode, currency });
  if (destination.kind === "shard")
    return draft.internal({ kind: "transit", peerShard: destination.peerShard, currency });
  const account = draft.account(destination.accountId);
  if (account === undefined) throw new Error(`account ${destination.accountId} was there when the hold was placed`);
  return account.state !== "closed" ? account : draft.internal({ kind: "suspense", currency });
}
