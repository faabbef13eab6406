import { fitsInt64 } from "./account.ts";
import type { Credit, Draft } from "./books.ts";
import type { CreditAccount, Refusal } from "./commands.ts";

/** Books money from a bank once for each reference; a refusal is remembered, so that a repeat cannot book what was given back. */
export function creditAccount(draft: Draft, command: CreditAccount): Refusal | undefined {
  const known = draft.credit(command.reference);
  if (known !== undefined) return sameCredit(known, command) ? known.refusal : "REFERENCE_REUSED";
  const refusal = book(draft, command);
  const { reference, accountId, amountMinor, currency, bankCode } = command;
  draft.saveCredit({ reference, accountId, amountMinor, currency, bankCode, refusal });
  return refusal;
}

function book(draft: Draft, { reference, accountId, amountMinor, currency, bankCode }: CreditAccount) {
  const account = draft.account(accountId);
  if (account === undefined || account.kind !== "member") return "ACCOUNT_UNKNOWN";
  if (account.currency !== currency) return "CURRENCY_MISMATCH";
  const clearing = draft.internal({ kind: "clearing", bankCode, currency });
  const payee = account.state !== "closed" ? account : draft.internal({ kind: "suspense", currency });
  if (!fitsInt64(payee.balanceMinor + amountMinor) || !fitsInt64(clearing.balanceMinor - amountMinor))
    return "AMOUNT_OUT_OF_RANGE";
  draft.move(reference, "credit", amountMinor, clearing, payee);
  return undefined;
}

function sameCredit(known: Credit, command: CreditAccount): boolean {
  return (
    known.accountId === command.accountId &&
    known.amountMinor === command.amountMinor &&
    known.currency === command.currency &&
    known.bankCode === command.bankCode
  );
}
