import type { AuditCheck, FoundBreach } from "@ferry/platform/audit";
import type { Queryable } from "@ferry/platform/db";
import type { BankOperation, BankResponse } from "../domain/call.ts";
import { FIND_ENDED_PAYMENTS, FIND_FORGOTTEN_CALLS, READ_MARK } from "./statements.ts";

const FORGOTTEN_MS = 60_000;
const FOUND_AT_ONCE = 100;
const SAMPLE_EVERY_MS = 10_000;
const SAMPLED_AT_ONCE = 2;
/** "Not found" is no proof (design, section 6): a bank may look into books that lag. It counts when it is still said so much later. */
const NOT_FOUND_FOR_MS = 60_000;
const MISSED_AT_ONCE = 20;

interface EndedPayment {
  seq: string;
  reference: string;
  bank_code: string;
  operation: "send" | "collect";
  outcome: "done" | "refused";
  currency: string;
  amount: bigint;
  account_number: string;
}

/** A payment that the bank did not find, and since when it does not. */
interface Missed extends Omit<EndedPayment, "amount"> {
  /** Decimal digits: a cursor is kept as JSON. */
  amount: string;
  sinceMs: number;
}

interface Cursor {
  seq: string;
  missed: readonly Missed[];
}

interface Bank {
  call(reference: string, operation: BankOperation): Promise<BankResponse>;
}

/** I4: no call to a bank is left without an outcome. */
export function callsCheck(db: Queryable): AuditCheck {
  return {
    name: "calls",
    invariant: "I4",
    description: "No call to a bank is pending for longer than a minute after its lease.",
    everyMs: 15_000,
    standing: true,
    async run() {
      const rows = await db.query<{ seq: string; reference: string; call: unknown }>(FIND_FORGOTTEN_CALLS, [
        FORGOTTEN_MS / 1_000,
        FOUND_AT_ONCE,
      ]);
      const breaches = rows.map(({ seq, reference, call }) => ({
        ...{ subject: `call:${seq}`, message: "a call to a bank is left without an outcome" },
        ...{ detail: { reference, call }, accounts: [] },
      }));
      return { cursor: undefined, rows: rows.length, breaches, lagMs: 0 };
    },
  };
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/**
 * What the bank's own word on a payment says against the record of it; undefined when they agree, or when the
 * bank says nothing that could be held against it: it is asked again with another sample.
 */
export function compare(payment: EndedPayment, response: BankResponse): string | undefined {
  if (response.kind !== "answered") return undefined;
  if (response.status === 404)
    return payment.outcome === "done" ? "the bank does not know a payment that it did" : undefined;
  if (response.status !== 200) return undefined;
  const body = response.body as Record<string, unknown> | undefined;
  const amount = body?.amount as Record<string, unknown> | undefined;
  const said = text(body?.status);
  if (said !== "done" && said !== "refused") return undefined; // No word on it, as where the JSON is broken.
  if (said !== payment.outcome) return "the bank says another end of a payment than it did";
  const same =
    text(amount?.minorUnits) === payment.amount.toString() &&
    text(amount?.currency) === payment.currency &&
    text(body?.accountNumber) === payment.account_number;
  return same ? undefined : "the bank has a payment of another amount or account under a reference";
}

/**
 * I1: what is recorded of payments is what the bank's books say, asked for a few of them by their references.
 * It begins at the present; a question moves nothing, and takes no part in the calls that are recorded.
 */
export function bankCheck(db: Queryable, banks: ReadonlyMap<string, Bank>): AuditCheck {
  return {
    name: "bank-records",
    invariant: "I1",
    description: "A sample of payments has the end, amount and account at the bank that is recorded here.",
    everyMs: SAMPLE_EVERY_MS,
    async run({ cursor }) {
      const [mark] = await db.query<{ seq: string }>(READ_MARK);
      const { seq: after = "0", missed = [] } = (cursor ?? {}) as Partial<Cursor>;
      const payments = await db.query<EndedPayment>(FIND_ENDED_PAYMENTS, [after, SAMPLED_AT_ONCE]);
      const nowMs = Date.now();
      const breaches: FoundBreach[] = [];
      const stillMissed: Missed[] = [];
      const again = missed.map((each) => ({ ...each, amount: BigInt(each.amount) }));
      for (const { sinceMs, ...payment } of [...again, ...payments.map((each) => ({ ...each, sinceMs: nowMs }))]) {
        const response = await banks.get(payment.bank_code)?.call(payment.reference, { kind: "inquire" });
        const message = response && compare(payment, response);
        const isAnswered = response?.kind === "answered" && (response.status === 200 || response.status === 404);
        const isYoung = isAnswered && response.status === 404 && nowMs - sinceMs < NOT_FOUND_FOR_MS;
        if (message !== undefined && !isYoung)
          breaches.push({ subject: payment.reference, message, detail: { payment, response }, accounts: [] });
        else if (message !== undefined || (sinceMs < nowMs && !isAnswered))
          stillMissed.push({ ...payment, amount: payment.amount.toString(), sinceMs });
      }
      // Those between this sample and the present are passed over: it is a sample.
      const next: Cursor = {
        seq: nextSeq(payments, mark?.seq ?? "0", after),
        missed: stillMissed.slice(0, MISSED_AT_ONCE),
      };
      return { cursor: next, rows: payments.length, breaches };
    },
  };
}

/** A sample goes on at the present: at the mark, or behind what was looked at. */
function nextSeq(payments: readonly EndedPayment[], mark: string, after: string): string {
  const last = payments.at(-1)?.seq ?? after;
  const present = (BigInt(mark) - 1n).toString();
  return BigInt(present) > BigInt(last) ? present : last;
}
