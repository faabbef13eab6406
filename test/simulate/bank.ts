import {
  countsVerifications,
  hasStandingMandate,
  isSilentWhenAsked,
  sendStep,
  verifyStep,
} from "../../local/bank/behavior.ts";
import type { BankRecord } from "../books/sources.ts";

/** What the bank does with a request: its answer, and how that comes. */
export interface BankAnswer {
  status: number;
  body: string;
  comes: "at once" | "late" | "never";
}

interface Order {
  kind: BankRecord["kind"];
  reference: string;
  accountNumber: string;
  currency: string;
  minorUnits: string;
  memo?: string;
  memberId?: string;
}

interface Recorded extends Order {
  seq: number;
  status: BankRecord["status"];
  reason?: string;
  time: string;
}

const UNAVAILABLE = JSON.stringify({
  error: "unavailable",
  message: "the bank cannot answer now; try again",
});
const said = (status: number, body: unknown): BankAnswer => ({ status, body: JSON.stringify(body), comes: "at once" });
const unavailable = (): BankAnswer => ({ status: 503, body: UNAVAILABLE, comes: "at once" });
const silence: BankAnswer = { status: 0, body: "", comes: "never" };

function isSame(one: Order, other: Order): boolean {
  return (
    one.kind === other.kind &&
    one.accountNumber === other.accountNumber &&
    one.currency === other.currency &&
    one.minorUnits === other.minorUnits &&
    (one.memo ?? "") === (other.memo ?? "") &&
    one.memberId === other.memberId
  );
}

/**
 * The bank of the local platform, in memory: what an account does is decided by the same code, what it
 * answers is compared with the real one by a test. The real books wait for a disk, which is not the
 * seed's to decide.
 */
export class SimulatedBank {
  readonly recorded = new Map<string, Recorded>();
  readonly #attempts = new Map<string, { order: Order; count: number }>();
  readonly #verifications = new Map<string, number>();
  /** For the check of the checks: takes a reference as often as it comes. */
  readonly #forgetful: boolean;
  readonly #twice: Recorded[] = [];
  #seq = 0;

  constructor({ forgetful = false } = {}) {
    this.#forgetful = forgetful;
  }

  /** Every record, as a reader of the bank's books gets them. */
  records(): BankRecord[] {
    return [...this.recorded.values(), ...this.#twice];
  }

  /** @param path With the reference of an inquiry at its end. */
  answer(method: string, path: string, content: string | undefined, now: Date): BankAnswer {
    if (method === "GET") return this.#inquire(path.slice(path.lastIndexOf("/") + 1));
    const body = JSON.parse(content ?? "{}");
    const { reference } = body;
    if (path === "/v1/account-verifications") return this.#verify(reference, body.accountNumber);
    const { currency, minorUnits } = body.amount;
    const order: Order =
      path === "/v1/payments"
        ? {
            kind: "payment",
            reference,
            accountNumber: body.creditorAccountNumber,
            currency,
            minorUnits,
            memo: body.memo,
          }
        : {
            kind: "debit",
            reference,
            accountNumber: body.debtorAccountNumber,
            currency,
            minorUnits,
            memberId: body.memberId,
          };
    return this.#order(order, now);
  }

  #verify(reference: string, accountNumber: string): BankAnswer {
    const count = (this.#verifications.get(reference) ?? 0) + 1;
    const step = verifyStep(accountNumber, countsVerifications(accountNumber) ? count : 1);
    if (step === "error") this.#verifications.set(reference, count);
    if (step === "error") return unavailable();
    return said(200, step === "ok" ? { status: step, holderName: `Holder of ${accountNumber}` } : { status: step });
  }

  #order(order: Order, now: Date): BankAnswer {
    const { reference, accountNumber } = order;
    const known = this.recorded.get(reference);
    if (known !== undefined && !(this.#forgetful && isSame(known, order))) {
      if (!isSame(known, order)) return this.#conflict(reference);
      const step = sendStep(accountNumber, Number.MAX_SAFE_INTEGER);
      return this.#present(known, step.does === "done" ? step.answers : "at once");
    }
    const earlier = this.#attempts.get(reference);
    if (earlier !== undefined && !isSame(earlier.order, order)) return this.#conflict(reference);
    const count = (earlier?.count ?? 0) + 1;
    const allowed = order.kind === "payment" || hasStandingMandate(accountNumber);
    const step = allowed ? sendStep(accountNumber, count) : { does: "refused" as const, reason: "mandate-missing" };
    if (step.does === "nothing") {
      this.#attempts.set(reference, { order, count });
      return step.answers === "error" ? unavailable() : silence;
    }
    const end =
      step.does === "done" ? { status: "done" as const } : { status: "refused" as const, reason: step.reason };
    const record: Recorded = { ...order, ...end, seq: this.#seq++, time: now.toISOString() };
    if (known === undefined) this.recorded.set(reference, record);
    else this.#twice.push(record);
    return this.#present(record, step.does === "done" ? step.answers : "at once");
  }

  #inquire(reference: string): BankAnswer {
    const record = this.recorded.get(reference);
    if (record !== undefined) return this.#present(record, "at once");
    const pending = this.#attempts.get(reference)?.order.accountNumber;
    if (pending !== undefined && isSilentWhenAsked(pending)) return silence;
    return said(404, { reference, status: "not-found" });
  }

  #conflict(reference: string): BankAnswer {
    const message = `reference ${reference} was used for another order`;
    return said(409, { error: "reference-taken", field: "reference", message });
  }

  #present(record: Recorded, answers: "at once" | "late" | "broken"): BankAnswer {
    const { reference, kind, accountNumber, currency, minorUnits, status, reason, time } = record;
    const body = JSON.stringify({
      reference,
      kind,
      accountNumber,
      amount: { currency, minorUnits },
      status,
      reason,
      time,
    });
    if (answers === "broken") return { status: 200, body: body.slice(0, body.length >> 1), comes: "at once" };
    return { status: 200, body, comes: answers };
  }
}
