import type { AccountId } from "./account.ts";
import type { Books } from "./books.ts";
import { type Command, type CreditAccount, type ReceiveTransfer, referenceOf, type SettleHold } from "./commands.ts";

/** Stripes of each internal account; its balance is their sum. Sets that run side by side mostly take different ones. */
export const STRIPES = 8;

/**
 * An account of the platform's own. Clearing stands for the money at a bank: negative by what came
 * in from there, positive by what went out. Suspense keeps what could not be given to its payee.
 * Transit stands for another shard of the ledger: positive by what was paid here and goes there, negative
 * by what came from there; over all shards it sums to what is under way, and to zero at rest.
 */
export type InternalAccount =
  | { kind: "clearing"; bankCode: string; currency: string }
  | { kind: "suspense"; currency: string }
  | { kind: "transit"; peerShard: number; currency: string };

/** Names an internal account, as "clearing:081:EUR". */
export function internalAccountKey(account: InternalAccount): string {
  switch (account.kind) {
    case "clearing":
      return `clearing:${account.bankCode}:${account.currency}`;
    case "suspense":
      return `suspense:${account.currency}`;
    case "transit":
      return `transit:${account.peerShard}:${account.currency}`;
    default:
      return account satisfies never;
  }
}

/** The stripe that a set uses: one for the whole set, by its first reference, so that a set updates one row of each. */
export function stripeFor(commands: readonly Command[]): number {
  const first = commands[0];
  if (first === undefined) return 0;
  return Number.parseInt(referenceOf(first).slice(-2), 16) % STRIPES;
}

/**
 * The internal accounts that a set may post to, each once. It may name one that is not needed in
 * the end, since it does not decide, but never leaves one out.
 */
export function internalAccountsFor(
  books: Omit<Books, "internal">,
  commands: readonly Command[],
): Map<string, InternalAccount> {
  const needed = new Map<string, InternalAccount>();
  const placed = new Set<string>();
  const need = (account: InternalAccount) => void needed.set(internalAccountKey(account), account);
  for (const command of commands) {
    if (command.kind === "place-hold") placed.add(command.transferId);
    else if (command.kind === "settle-hold") {
      if (placed.has(command.transferId) || books.holds.get(command.transferId)?.state === "held")
        forSettle(books, command).forEach(need);
    } else if (command.kind === "credit-account") forCredit(books, command).forEach(need);
    else if (command.kind === "receive-transfer") forArrival(books, command).forEach(need);
  }
  return needed;
}

function forSettle({ accounts }: Omit<Books, "internal">, { sourceAccountId, destination }: SettleHold) {
  const currency = accounts.get(sourceAccountId)?.currency;
  if (currency === undefined) return [];
  if (destination.kind === "bank") return [{ kind: "clearing", bankCode: destination.bankCode, currency } as const];
  if (destination.kind === "shard") return [{ kind: "transit", peerShard: destination.peerShard, currency } as const];
  return isClosed({ accounts }, destination.accountId) ? [{ kind: "suspense", currency } as const] : [];
}

function forCredit({ accounts, credits }: Omit<Books, "internal">, command: CreditAccount): InternalAccount[] {
  const { bankCode, currency, accountId } = command;
  if (credits.has(command.reference) || accounts.get(accountId)?.currency !== currency) return [];
  const clearing: InternalAccount = { kind: "clearing", bankCode, currency };
  return isClosed({ accounts }, accountId) ? [clearing, { kind: "suspense", currency }] : [clearing];
}

function isClosed({ accounts }: Pick<Books, "accounts">, id: AccountId): boolean {
  return accounts.get(id)?.state === "closed";
}

/** Suspense is for what the payee cannot take, which only shows while it is decided: it is always brought along. */
function forArrival({ arrivals }: Omit<Books, "internal">, { reference, fromShard, currency }: ReceiveTransfer) {
  if (arrivals?.has(reference)) return [];
  return [{ kind: "transit", peerShard: fromShard, currency } as const, { kind: "suspense", currency } as const];
}
