import { join } from "node:path";
import { type Database, type Migrations, type Queryable, sqlStateOf, type Transaction } from "@ferry/platform/db";
import type { BankCall, FinishedCall, PendingCall, RecordedCall } from "../app/bank-call.ts";
import type { Outcome } from "../domain/call.ts";
import { type PaymentFacts, QUIET_AFTER_MS } from "../domain/void.ts";
import { type CallRow, fromRow, idOf, shortIdOf } from "./rows.ts";
import {
  FIND_EARLIER_PAYMENT,
  FIND_PAID_REFERENCES,
  FIND_PAYMENT_FACTS,
  FIND_VOIDED_REFERENCES,
  FINISH_CALLS,
  FINISH_PENDING_CALLS,
  INSERT_CALLS,
  INSERT_NEW_CALLS,
  LIST_CALLS,
  MOVE_MARK,
  RENEW_LEASES,
  TAKE_OVERDUE_CALLS,
} from "./statements.ts";

export const bankingMigrations: Migrations = { name: "banking", directory: join(import.meta.dirname, "migrations") };

/** What tells that some of a set was recorded before, or is being recorded by another instance. */
const KNOWN_CODES = new Set(["23505", "40P01"]);

type RecordedRow = Pick<CallRow, "seq" | "reference" | "id">;

/**
 * Records calls that are about to be made; gives those that were not recorded before, in their order.
 * It is a statement of its own, so that it needs no transaction around it.
 */
export async function insertCalls(
  database: Database,
  calls: readonly BankCall[],
  leaseMs: number,
): Promise<PendingCall[]> {
  const values = [...columnsOf(calls), leaseMs / 1_000];
  let rows: RecordedRow[];
  try {
    rows = await database.query<RecordedRow>(INSERT_CALLS, values);
  } catch (error) {
    if (!KNOWN_CODES.has(sqlStateOf(error))) throw error;
    rows = await database.transaction((tx) => tx.query<RecordedRow>(INSERT_NEW_CALLS, values));
  }
  const recorded = new Map(rows.map((row) => [idOf(row) + row.reference, row.seq]));
  const fresh: PendingCall[] = [];
  for (const call of calls) {
    const key = call.id + call.reference;
    const seq = recorded.get(key);
    if (seq === undefined) continue;
    recorded.delete(key); // The same may be twice in a set.
    fresh.push({ ...call, seq });
  }
  return fresh;
}

/** The arrays of INSERT_CALLS, in its order. */
function columnsOf(calls: readonly BankCall[]): unknown[][] {
  const operations = calls.map(({ operation }) => operation);
  return [
    calls.map(({ reference }) => reference),
    calls.map(shortIdOf),
    calls.map(({ bankCode }) => bankCode),
    operations.map(({ kind }) => kind),
    operations.map((operation) => ("accountNumber" in operation ? operation.accountNumber : null)),
    operations.map((operation) => ("currency" in operation ? operation.currency : null)),
    operations.map((operation) => ("amountMinor" in operation ? operation.amountMinor : null)),
    operations.map((operation) => ("memo" in operation ? operation.memo : null)),
    operations.map((operation) => ("memberId" in operation ? operation.memberId : null)),
    calls.map(({ route }) => route?.replyTo),
    calls.map(({ route }) => route?.sagaId),
    calls.map(({ route }) => route?.sagaStep),
    calls.map(({ traceparent }) => traceparent),
  ];
}

/** Lets pending calls belong to this instance for another lease; 0 ms gives them to whoever comes. */
export async function renewLeases(tx: Transaction, seqs: readonly bigint[], leaseMs: number): Promise<void> {
  if (seqs.length > 0) await tx.query(RENEW_LEASES, [seqs, leaseMs / 1_000]);
}

/** Takes pending calls whose lease is over, for another lease; the oldest first. */
export async function takeOverdueCalls(tx: Transaction, limit: number, leaseMs: number): Promise<PendingCall[]> {
  const rows = await tx.query<CallRow>(TAKE_OVERDUE_CALLS, [limit, leaseMs / 1_000]);
  return rows.map(fromRow);
}

/** Lets the next look for pending calls begin behind those that are surely at their end. */
export async function moveMark(tx: Transaction): Promise<void> {
  await tx.query(MOVE_MARK);
}

/** The arrays of FINISH_CALLS, in its order. */
function outcomesOf(finished: readonly FinishedCall[]): unknown[][] {
  const column = <T>(pick: (call: FinishedCall) => T) => finished.map(pick);
  return [
    column(({ call }) => call.seq),
    column(({ outcome }) => outcome.kind),
    column(({ outcome }) => outcome.failure?.code),
    column(({ outcome }) => outcome.failure?.message),
    column(({ outcome }) => outcome.detail.slice(0, 500).replaceAll("\0", "")),
    column(({ durationMs }) => durationMs),
  ];
}

/** Writes outcomes; gives the numbers of the calls that were still pending: a call has one outcome. */
export async function finishCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<Set<bigint>> {
  const rows = await tx.query<{ seq: bigint }>(FINISH_CALLS, outcomesOf(finished));
  return new Set(rows.map(({ seq }) => seq));
}

/** Writes outcomes of calls that are all pending; when one is not, the statement fails as a lost race. */
export async function finishPendingCalls(tx: Transaction, finished: readonly FinishedCall[]): Promise<void> {
  await tx.query(FINISH_PENDING_CALLS, outcomesOf(finished));
}

/** The references of those given under which a payment, out or in, was recorded. */
export async function findPaidReferences(from: Queryable, references: readonly string[]): Promise<Set<string>> {
  const rows = await from.query<{ reference: string }>(FIND_PAID_REFERENCES, [references]);
  return new Set(rows.map(({ reference }) => reference));
}

/** Whether a bank may have heard of a payment, out or in, under the call's reference before this call. */
export async function wasPaidBefore(
  from: Queryable,
  { reference, seq }: Pick<PendingCall, "reference" | "seq">,
): Promise<boolean> {
  return (await from.query(FIND_EARLIER_PAYMENT, [reference, seq])).length > 0;
}

/** The references of those given that are voided. */
export async function findVoidedReferences(from: Queryable, references: readonly string[]): Promise<Set<string>> {
  const rows = await from.query<{ reference: string }>(FIND_VOIDED_REFERENCES, [references]);
  return new Set(rows.map(({ reference }) => reference));
}

interface FactsRow {
  done: boolean;
  refusal_code: NonNullable<Outcome["failure"]>["code"] | null;
  refusal_message: string | null;
  under_way: boolean;
  asked: boolean;
  quiet: boolean;
}

/** What is recorded of payments under a call's reference, beside that call. */
export async function findPaymentFacts(
  from: Queryable,
  { reference, seq }: Pick<PendingCall, "reference" | "seq">,
): Promise<PaymentFacts> {
  const [row] = await from.query<FactsRow>(FIND_PAYMENT_FACTS, [reference, seq, QUIET_AFTER_MS / 1_000]);
  if (row === undefined) throw new Error("an aggregate gives one row");
  const { done, refusal_code: code, refusal_message: message, under_way: underWay, asked, quiet } = row;
  return { done, refusal: code === null ? undefined : { code, message: message ?? "" }, underWay, asked, quiet };
}

/** Every call of one reference, oldest first. */
export async function listCalls(from: Queryable, reference: string, limit: number): Promise<RecordedCall[]> {
  const rows = await from.query<
    CallRow & { outcome: RecordedCall["outcome"]; detail: string; started_at: Date; duration_ms: number | null }
  >(LIST_CALLS, [reference, limit]);
  return rows.map((row) => ({
    id: idOf(row),
    reference: row.reference,
    bankCode: row.bank_code,
    operation: row.operation,
    outcome: row.outcome,
    detail: row.detail,
    startedAt: row.started_at,
    durationMs: row.duration_ms ?? undefined,
  }));
}
