import type { BankCall, PendingCall, ReplyRoute } from "../app/bank-call.ts";
import type { Operation } from "../domain/call.ts";

export interface CallRow {
  seq: bigint;
  reference: string;
  id: string;
  bank_code: string;
  operation: Operation["kind"];
  account_number: string | null;
  currency: string | null;
  amount: bigint | null;
  memo: string | null;
  member_id: string | null;
  reply_to: string | null;
  saga_id: string | null;
  saga_step: string | null;
  traceparent: string | null;
  /** Only of a call that is taken over. */
  voided?: boolean;
}

/**
 * A saga's commands are named `<saga>:<step>:…`, and its id is mostly the reference: half of the id would
 * say again what stands beside it. A short id begins with the colon, which no other does.
 */
export function shortIdOf({ reference, id }: Pick<BankCall, "reference" | "id">): string {
  return id.startsWith(`${reference}:`) ? id.slice(reference.length) : id;
}

/** The id that `shortIdOf` has shortened. */
export function idOf({ reference, id }: Pick<CallRow, "reference" | "id">): string {
  return id.startsWith(":") ? reference + id : id;
}

function operationOf(row: CallRow): Operation {
  const accountNumber = row.account_number ?? "";
  const amount = { currency: row.currency ?? "", amountMinor: row.amount ?? 0n };
  switch (row.operation) {
    case "verify":
      return { kind: "verify", accountNumber };
    case "send":
      return { kind: "send", accountNumber, ...amount, memo: row.memo ?? "" };
    case "collect":
      return { kind: "collect", accountNumber, ...amount, memberId: row.member_id ?? "" };
    case "inquire":
      return { kind: "inquire" };
    case "void":
      return { kind: "void" };
    default:
      return row.operation satisfies never;
  }
}

function routeOf(row: CallRow): ReplyRoute | undefined {
  if (row.reply_to === null) return undefined;
  return { replyTo: row.reply_to, sagaId: row.saga_id ?? undefined, sagaStep: row.saga_step ?? undefined };
}

export function fromRow(row: CallRow): PendingCall {
  return {
    seq: row.seq,
    id: idOf(row),
    reference: row.reference,
    bankCode: row.bank_code,
    operation: operationOf(row),
    route: routeOf(row),
    traceparent: row.traceparent ?? undefined,
    ...(row.voided === true ? { voided: true } : {}),
    ...(row.voided === undefined ? {} : { takenOver: true }),
  };
}
