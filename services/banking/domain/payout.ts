import type { Outcome } from "./call.ts";

/** What is to be done next about a payout: pay, or ask what became of the payment. */
export type Next = "send" | "inquire";

/** What a call has come to for its payout. */
export type Verdict =
  | { kind: "paid" }
  | { kind: "not-paid"; failure: NonNullable<Outcome["failure"]> }
  | { kind: "again"; next: Next };

const FIRST_PAUSE_MS = 200;
/** Short enough to go on soon after a bank was away, long enough to be no burden for weeks. */
const LONGEST_PAUSE_MS = 300_000;

/**
 * Decides what a call means for a payout that nobody else watches over.
 *
 * Unknown is asked for; not found is sent again under the same reference, which the bank takes once; only
 * the bank's own word ends it. A bank that the platform is not connected to has no word: that is a refusal
 * only when nothing can have been sent before.
 *
 * @param attempts Calls made so far, this one included.
 */
export function verdictOf({ kind, failure }: Outcome, attempts: number): Verdict {
  switch (kind) {
    case "done":
      return { kind: "paid" };
    case "refused":
      if (failure?.code === "BANK_UNKNOWN" && attempts > 1) return { kind: "again", next: "inquire" };
      return {
        kind: "not-paid",
        failure: failure ?? { code: "BANK_REFUSED", message: "the bank refused the payment" },
      };
    case "not-found":
    case "unavailable":
      return { kind: "again", next: "send" };
    case "unknown":
      return { kind: "again", next: "inquire" };
    default:
      return kind satisfies never;
  }
}

/**
 * The pause before the next call, in milliseconds: 200 ms, doubled up to five minutes, less up to half by chance.
 *
 * @param random From 0 to 1.
 */
export function pauseMsAfter(attempts: number, random: number): number {
  const doubled = FIRST_PAUSE_MS * 2 ** Math.min(Math.max(attempts - 1, 0), 20);
  return Math.round(Math.min(doubled, LONGEST_PAUSE_MS) * (1 - random / 2));
}
