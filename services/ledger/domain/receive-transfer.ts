import { fitsInt64 } from "./account.ts";
import type { Arrival, Draft } from "./books.ts";
import type { ReceiveTransfer, Refusal } from "./commands.ts";

/**
 * Books money that another shard has handed over, once for each reference. It is never refused: it was
 * taken there, so what the payee cannot take goes to suspense.
 */
export function receiveTransfer(draft: Draft, command: ReceiveTransfer): Refusal | undefined {
  const { reference, accountId, amountMinor, currency, fromShard } = command;
  const known = draft.arrival(reference);
  if (known !== undefined) return sameArrival(known, command) ? undefined : "REFERENCE_REUSED";
  const account = draft.account(accountId);
  const takes =
    account?.kind === "member" &&
    account.state !== "closed" &&
    account.currency === currency &&
    fitsInt64(account.balanceMinor + amountMinor);
  const payee = takes ? account : draft.internal({ kind: "suspense", currency });
  const transit = draft.internal({ kind: "transit", peerShard: fromShard, currency });
  draft.move(reference, "arrival", amountMinor, transit, payee);
  draft.saveArrival({ reference, accountId, amountMinor, currency, fromShard });
  return undefined;
}

function sameArrival(known: Arrival, command: ReceiveTransfer): boolean {
  return (
    known.accountId === command.accountId &&
    known.amountMinor === command.amountMinor &&
    known.currency === command.currency &&
    known.fromShard === command.fromShard
  );
}
