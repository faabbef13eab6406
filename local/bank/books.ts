import { countsVerifications, hasStandingMandate, sendStep, type VerifyStep, verifyStep } from "./behavior.ts";
import { type Journal, openJournal } from "./journal.ts";
import { LineIndex } from "./line-index.ts";

/** A request to move money: a payment to an account here, or a debit from one under a member's mandate. */
export interface Order {
  kind: "payment" | "debit";
  reference: string;
  accountNumber: string;
  currency: string;
  /** Decimal digits. */
  minorUnits: string;
  memo?: string;
  memberId?: string;
}

/** An order whose end is known. */
export interface BankRecord extends Order {
  /** Grows from one record to the next, with gaps. */
  seq: number;
  status: "done" | "refused";
  reason?: string;
  time: string;
}

export type OrderOutcome =
  | { kind: "recorded"; record: BankRecord; answers: "at once" | "late" | "broken" }
  | { kind: "nothing"; answers: "error" | "silent" }
  | { kind: "conflict" };

export type Found =
  | { kind: "record"; record: BankRecord }
  | { kind: "pending"; accountNumber: string }
  | { kind: "none" };

type Entry =
  | ({ type: "record" } & Omit<BankRecord, "seq">)
  | ({ type: "attempt" } & Order)
  | { type: "verification"; reference: string }
  | { type: "mandate"; memberId: string; accountNumber: string };

export interface Totals {
  count: number;
  minorUnits: bigint;
}

export interface Books {
  order(order: Order, now: Date): Promise<OrderOutcome>;
  find(reference: string): Promise<Found>;
  verify(reference: string, accountNumber: string): Promise<VerifyStep>;
  addMandate(memberId: string, accountNumber: string): Promise<void>;
  /** Records after `after` (a seq, or -1), at most `limit`, and whether there are more. */
  list(after: number, limit: number): Promise<{ records: BankRecord[]; more: boolean }>;
  /** Totals by "kind/status/currency". */
  totals(): ReadonlyMap<string, Totals>;
  failed: Promise<never>;
  close(): Promise<void>;
}

function isSame(first: Order, second: Order): boolean {
  return (
    first.kind === second.kind &&
    first.accountNumber === second.accountNumber &&
    first.currency === second.currency &&
    first.minorUnits === second.minorUnits &&
    first.memo === second.memo &&
    first.memberId === second.memberId
  );
}

const mandateKey = (memberId: string, accountNumber: string) => `${accountNumber} ${memberId}`;

/**
 * What is known without reading the file. Of a recorded order only the line number is held; its content
 * stays on the disk. Orders that faults keep from being done are few, and are held whole.
 */
function createState() {
  const recorded = new LineIndex();
  const attempts = new Map<string, { order: Order; count: number }>();
  const verifications = new Map<string, number>();
  const mandates = new Set<string>();
  const totals = new Map<string, Totals>();

  function apply(entry: Entry, line: number): void {
    switch (entry.type) {
      case "record": {
        recorded.set(entry.reference, line);
        attempts.delete(entry.reference);
        const key = `${entry.kind}/${entry.status}/${entry.currency}`;
        const sum = totals.get(key) ?? { count: 0, minorUnits: 0n };
        totals.set(key, { count: sum.count + 1, minorUnits: sum.minorUnits + BigInt(entry.minorUnits) });
        return;
      }
      case "attempt": {
        const { type: _, ...order } = entry;
        attempts.set(entry.reference, { order, count: (attempts.get(entry.reference)?.count ?? 0) + 1 });
        return;
      }
      case "verification":
        verifications.set(entry.reference, (verifications.get(entry.reference) ?? 0) + 1);
        return;
      case "mandate":
        mandates.add(mandateKey(entry.memberId, entry.accountNumber));
        return;
      default:
        throw new Error(`the bank's books hold an entry of no known type: ${JSON.stringify(entry satisfies never)}`);
    }
  }
  return { recorded, attempts, verifications, mandates, totals, apply };
}

/** Opens the books of a folder, and rebuilds from the file what is kept in memory. */
export async function openBooks(directory: string): Promise<Books> {
  const state = createState();
  const journal: Journal = await openJournal(directory, (entry, line) => state.apply(entry as Entry, line));

  /** Decision and entry are one turn of the event loop, so equal requests at once cannot both be the first. */
  function write(entry: Entry): number {
    const line = journal.append(entry);
    state.apply(entry, line);
    return line;
  }

  async function readRecord(line: number, reference: string): Promise<BankRecord> {
    await journal.settled();
    const [entry] = await journal.read(line, 1);
    const record = toRecord(entry as Entry & { type: "record" }, line);
    if (record.reference !== reference) throw new Error(`${reference} has the digest of ${record.reference}`);
    return record;
  }

  async function order(order: Order, now: Date): Promise<OrderOutcome> {
    const line = state.recorded.get(order.reference);
    if (line !== undefined) {
      const record = await readRecord(line, order.reference);
      if (!isSame(record, order)) return { kind: "conflict" };
      const step = sendStep(order.accountNumber, Number.MAX_SAFE_INTEGER);
      return { kind: "recorded", record, answers: step.does === "done" ? step.answers : "at once" };
    }
    const earlier = state.attempts.get(order.reference);
    if (earlier !== undefined && !isSame(earlier.order, order)) return { kind: "conflict" };
    const step = decide(order, (earlier?.count ?? 0) + 1);
    if (step.does === "nothing") {
      write({ type: "attempt", ...order });
      await journal.settled();
      return { kind: "nothing", answers: step.answers };
    }
    const ending =
      step.does === "done" ? { status: "done" as const } : { status: "refused" as const, reason: step.reason };
    const entry = { type: "record" as const, ...order, ...ending, time: now.toISOString() };
    const seq = write(entry);
    await journal.settled();
    return { kind: "recorded", record: toRecord(entry, seq), answers: step.does === "done" ? step.answers : "at once" };
  }

  function decide(order: Order, attempt: number) {
    const { kind, memberId = "", accountNumber } = order;
    const allowed =
      kind === "payment" ||
      hasStandingMandate(accountNumber) ||
      state.mandates.has(mandateKey(memberId, accountNumber));
    if (!allowed) return { does: "refused" as const, reason: "mandate-missing" };
    return sendStep(accountNumber, attempt);
  }

  async function verify(reference: string, accountNumber: string): Promise<VerifyStep> {
    if (!countsVerifications(accountNumber)) return verifyStep(accountNumber, 1);
    const step = verifyStep(accountNumber, (state.verifications.get(reference) ?? 0) + 1);
    if (step === "error") {
      write({ type: "verification", reference });
      await journal.settled();
    }
    return step;
  }

  async function find(reference: string): Promise<Found> {
    const line = state.recorded.get(reference);
    if (line !== undefined) return { kind: "record", record: await readRecord(line, reference) };
    const attempt = state.attempts.get(reference);
    return attempt === undefined ? { kind: "none" } : { kind: "pending", accountNumber: attempt.order.accountNumber };
  }

  return {
    order,
    find,
    verify,
    async addMandate(memberId, accountNumber) {
      const isNew = !state.mandates.has(mandateKey(memberId, accountNumber));
      if (isNew) write({ type: "mandate", memberId, accountNumber });
      await journal.settled();
    },
    list: (after, limit) => listRecords(journal, after, limit),
    totals: () => state.totals,
    failed: journal.failed,
    close: () => journal.close(),
  };
}

function toRecord({ type: _, ...rest }: Entry & { type: "record" }, seq: number): BankRecord {
  return { seq, ...rest };
}

/** Reads on past lines that are no records (attempts, mandates) until the page is full. */
async function listRecords(journal: Journal, after: number, limit: number) {
  const records: BankRecord[] = [];
  const last = journal.durableLines();
  let line = after + 1;
  while (records.length < limit && line < last) {
    const count = Math.min(limit, last - line);
    for (const entry of (await journal.read(line, count)) as Entry[]) {
      if (records.length === limit) break;
      if (entry.type === "record") records.push(toRecord(entry, line));
      line += 1;
    }
  }
  return { records, more: line < last };
}
