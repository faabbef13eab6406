import type { AccountId } from "./account.ts";
import type { Books } from "./books.ts";
import type { Command, CreditAccount, SettleHold } from "./commands.ts";

/** Stripes of each internal account; its balance is their sum. Sets that run side by side mostly take different ones. */
export const STRIPES = 8;

/**
 * An account of the platform's own. Clearing stands for the money at a bank: negative by what came
 * in from there, positive by what went out. Suspense keeps what could not be given to its payee.
 */
export type InternalAccount =
  | { kind: "clearing"; bankCode: string; currency: string }
  | { kind: "suspense"; currency: string };

/** Names an internal account, as "clearing:081:EUR". */
export function internalAccountKey(account: InternalAccount): string {
  switch (account.kind) {
    case "clearing":
      return `clearing:${account.bankCode}:${account.currency}`;
    case "suspense":
      return `suspense:${account.currency}`;
    default:
      return account satisfies never;
  }
}

/** The stripe that a set uses: one for the whole set, by its first reference, so that a set updates one row of each. */
export function stripeFor(commands: readonly Command[]): number {
  const first = commands[0];
  if (first === undefined) return 0;
  const reference = first.kind === "credit-account" ? first.reference : first.transferId;
  return Number.parseInt(reference.slice(-2), 16) % STRIPES;
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
  }
  return needed;
}

function forSettle({ accounts }: Omit<Books, "internal">, { sourceAccountId, destination }: SettleHold) {
  const currency = accounts.get(sourceAccountId)?.currency;
  if (currency === undefined) return [];
  if (destination.kind === "bank") return [{ kind: "clearing", bankCode: destination.bankCode, currency } as const];
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
