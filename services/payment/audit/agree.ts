import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { PaymentRecord } from "@ferry/gen/ferry/banking/v1/payments_pb.ts";
import { HoldState, type Postings } from "@ferry/gen/ferry/ledger/v1/postings_pb.ts";
import type { FoundBreach } from "@ferry/platform/audit";

export type MovementKind = "top-up" | "payment" | "refund";

/** A top-up, payment or refund as the auditor reads it. */
export interface AuditedMovement {
  id: string;
  state: string;
  failure: string | null;
  currency: string;
  amount: bigint;
  /** The account that is credited by a top-up, and charged by the others. */
  account: string;
  /** Null: no bank has a part in it. */
  bank_code: string | null;
  account_number: string | null;
  /** Status of its saga; null where there is none, as for every refund. */
  saga: "running" | "undoing" | "completed" | "undone" | "parked" | null;
  /** An operator went on without one of its steps: then the books need not agree, and a person has seen to it. */
  skipped: boolean | null;
  /** It has not changed for 7 days: from then on its saga may be deleted. */
  is_old: boolean;
}

/** The saga's end that a state at rest stands for. */
const ENDS: Record<string, AuditedMovement["saga"]> = {
  COMPLETED: "completed",
  FAILED: "undone",
  CANCELED: "undone",
  PARKED: "parked",
};

function breach(message: string, { id, account }: AuditedMovement, detail: Record<string, unknown>): FoundBreach {
  return { subject: id, message, detail, accounts: [account] };
}

/** Whether a movement has ended, so that the books of others can be compared. */
export function hasEnded({ state }: AuditedMovement): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "CANCELED";
}

/** What a movement's own books say against it. */
export function checkOwn(kind: MovementKind, movement: AuditedMovement): FoundBreach | undefined {
  const { state, saga, failure, is_old } = movement;
  const detail = { kind, movement };
  if (state !== "COMPLETED" && state in ENDS && failure === null)
    return breach(`a ${kind} ended without a reason`, movement, detail);
  if (kind === "refund" || (saga === null && is_old && hasEnded(movement))) return undefined;
  if (saga === null) return breach(`an acknowledged ${kind} has no saga`, movement, detail);
  const fits = state in ENDS ? saga === ENDS[state] : saga === "running" || saga === "undoing";
  return fits ? undefined : breach(`a ${kind} and its saga are in different states`, movement, detail);
}

/**
 * What the ledger's books say against a movement that has ended. A refund that was booked and taken back has
 * moved its amount twice: there and back again.
 */
export function checkPostings(
  kind: MovementKind,
  movement: AuditedMovement,
  postings: Postings | undefined,
): FoundBreach | undefined {
  const { state, currency, amount } = movement;
  const { hold = HoldState.UNSPECIFIED, moved } = postings ?? {};
  const detail = { kind, movement, postings: { hold, moved: moved?.minorUnits, currency: moved?.currency } };
  const movedMinor = moved?.minorUnits ?? 0n;
  if (hold === HoldState.HELD) return breach(`a ${kind} has ended, and its hold is open`, movement, detail);
  if (state === "COMPLETED") {
    const isHeldFirst = kind === "top-up" || hold === HoldState.SETTLED;
    return isHeldFirst && movedMinor === amount && moved?.currency === currency
      ? undefined
      : breach(`a completed ${kind} is not booked with its amount`, movement, detail);
  }
  const isBack = kind === "refund" && movedMinor === 2n * amount;
  return movedMinor === 0n || isBack
    ? undefined
    : breach(`a ${kind} did not complete, and its money was moved`, movement, detail);
}

/** What banking's records say against a movement that a bank has a part in and that has ended. */
export function checkPayment(
  kind: MovementKind,
  movement: AuditedMovement,
  payment: PaymentRecord | undefined,
): FoundBreach | undefined {
  const { state, currency, amount, bank_code, account_number } = movement;
  const isDone = payment?.outcome === PaymentOutcome.DONE;
  const { account, amount: asked } = payment ?? {};
  const record = { outcome: payment?.outcome, amount: asked?.minorUnits, accountNumber: account?.accountNumber };
  const detail = { kind, movement, payment: record };
  if (state !== "COMPLETED")
    return isDone ? breach(`a ${kind} did not complete, and the bank did its part`, movement, detail) : undefined;
  const isSame =
    asked?.currency === currency &&
    asked.minorUnits === amount &&
    account?.bankCode === bank_code &&
    account?.accountNumber === account_number;
  return isDone && isSame
    ? undefined
    : breach(`a completed ${kind} has no record of its amount at the bank`, movement, detail);
}
