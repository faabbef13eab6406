export type WishKind = "transfer" | "top-up" | "payment" | "refund" | "batch";

/** Where money was asked to go, or to come from. */
export type Goal =
  | { kind: "bank"; accountNumber: string }
  | { kind: "account"; accountId: string }
  /** A merchant on the platform; with a bank account that the payment may top up from. */
  | { kind: "merchant"; accountId: string; topUpFrom: string | undefined }
  /** Back to who paid: to the account that paid, or to a bank account. */
  | { kind: "refund"; paymentId: string; accountNumber: string | undefined }
  | { kind: "lines"; lines: readonly { goal: Goal; amountMinor: bigint }[]; allOrNothing: boolean };

/** One wish of a client, under one key, however often it was asked for. */
export interface Wish {
  kind: WishKind;
  key: string;
  memberId: string;
  /** The member's account that pays, or that is topped up; of a refund, the merchant's. */
  accountId: string;
  goal: Goal;
  amountMinor: bigint;
  /** When it begins, and when it is given up; Unix times in milliseconds. */
  executeAtMs?: number;
  expireAtMs?: number;
  /** Every id that an answer gave for it: one at most, if promises are kept. */
  ids: Set<string>;
  /** States that were said to be an end. */
  ends: Set<string>;
}

/** What clients asked for and what they were told: the other side of the books. */
export class Promises {
  readonly wishes: Wish[] = [];
  /** Answers that can never be right, as they were given. */
  readonly lies: string[] = [];
  readonly counts = new Map<string, number>();

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  wish(wish: Omit<Wish, "ids" | "ends">): Wish {
    const whole: Wish = { ...wish, ids: new Set(), ends: new Set() };
    this.wishes.push(whole);
    return whole;
  }

  /** An answer to a wish. @param end Its state, when that is an end. */
  told(wish: Wish, { id, end }: { id: string; end: string | undefined }): void {
    wish.ids.add(id);
    if (wish.ids.size > 1) this.lies.push(`I3: key ${wish.key} got the ids ${[...wish.ids].join(" and ")}`);
    if (end === undefined) return;
    wish.ends.add(end);
    if (wish.ends.size > 1) this.lies.push(`I3: ${id} was said to be ${[...wish.ends].join(" and ")}`);
  }
}
