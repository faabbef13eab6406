import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { PaymentRecord } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { HoldState, type Postings } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import type { FoundBreach } from "@ferry/platform/audit";

/** A transfer as the auditor reads it. */
export interface AuditedTransfer {
  id: string;
  state: string;
  failure: string | null;
  currency: string;
  amount: bigint;
  source: string;
  /** Null: it goes to an account on the platform. */
  bank_code: string | null;
  account_number: string | null;
  /** It has not changed for 7 days: from then on its saga may be deleted. */
  is_old: boolean;
  /** Status of its saga; null where there is none. */
  saga: "running" | "undoing" | "completed" | "undone" | "parked" | null;
  /** Its newest command is not in the outbox. */
  unsent: boolean;
}

/** States of a transfer that fit the status of its saga. */
const FITTING: Record<NonNullable<AuditedTransfer["saga"]>, readonly string[]> = {
  running: ["ACCEPTED", "VERIFIED", "HELD", "SENT"],
  undoing: ["ACCEPTED", "VERIFIED", "HELD", "SENT"],
  completed: ["COMPLETED"],
  undone: ["FAILED", "CANCELED"],
  parked: ["PARKED"],
};

const REASONED = ["FAILED", "CANCELED", "PARKED"];

export function breach(message: string, { id, source }: AuditedTransfer, detail: Record<string, unknown>): FoundBreach {
  return { subject: id, message, detail, accounts: [source] };
}

/** Whether a transfer has ended, so that the books of others can be compared. */
export function hasEnded({ state }: AuditedTransfer): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELED";
}

/** What a transfer's own books say against it: its saga, its first command, its reason. */
export function checkOwn(transfer: AuditedTransfer): FoundBreach | undefined {
  const { state, saga, failure, unsent, is_old } = transfer;
  const detail = { transfer };
  if (REASONED.includes(state) && failure === null)
    return breach("a transfer ended without a reason", transfer, detail);
  // One that was planned for later begins its saga then, and may be taken back or fail before.
  if (saga === null)
    return state === "SCHEDULED" || state === "FAILED" || state === "CANCELED" || (state === "COMPLETED" && is_old)
      ? undefined
      : breach("an acknowledged transfer has no saga", transfer, detail);
  if (!FITTING[saga].includes(state))
    return breach("a transfer and its saga are in different states", transfer, detail);
  return unsent ? breach("a saga's command is not in the outbox", transfer, detail) : undefined;
}

/** What the ledger's books say against a transfer that has ended. */
export function checkPostings(transfer: AuditedTransfer, postings: Postings | undefined): FoundBreach | undefined {
  const { state, currency, amount, source } = transfer;
  const moved = postings?.moved;
  const hold = postings?.hold ?? HoldState.UNSPECIFIED;
  const detail = { transfer, postings: { hold, moved: moved?.minorUnits, currency: moved?.currency } };
  if (state === "COMPLETED") {
    const isSettled =
      hold === HoldState.SETTLED &&
      moved?.currency === currency &&
      moved.minorUnits === amount &&
      postings?.sourceAccountId === source;
    return isSettled ? undefined : breach("a completed transfer is not settled with its amount", transfer, detail);
  }
  if (hold === HoldState.HELD) return breach("a transfer has ended, and its hold is open", transfer, detail);
  return hold === HoldState.SETTLED || moved !== undefined
    ? breach("a transfer did not complete, and its money was moved", transfer, detail)
    : undefined;
}

/** What banking's records say against a transfer to a bank that has ended. */
export function checkPayment(transfer: AuditedTransfer, payment: PaymentRecord | undefined): FoundBreach | undefined {
  const { state, currency, amount, bank_code, account_number } = transfer;
  const isDone = payment?.outcome === PaymentOutcome.DONE;
  const detail = {
    transfer,
    payment: payment && {
      outcome: payment.outcome,
      amount: payment.amount?.minorUnits,
      accountNumber: payment.account?.accountNumber,
    },
  };
  if (state !== "COMPLETED")
    return isDone ? breach("a transfer did not complete, and the bank was paid", transfer, detail) : undefined;
  const isPaid =
    isDone &&
    payment.amount?.currency === currency &&
    payment.amount.minorUnits === amount &&
    payment.account?.bankCode === bank_code &&
    payment.account?.accountNumber === account_number;
  return isPaid ? undefined : breach("a completed transfer has no payment of its amount at the bank", transfer, detail);
}
