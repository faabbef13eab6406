import type { Next } from "../domain/payout.ts";

/** A refund that the ledger has booked towards a bank. */
export interface NewPayout {
  /** Names the payout for ever, and is its reference at the bank. UUID. */
  refundId: string;
  paymentId: string;
  /** Where the ledger took the money from. */
  merchantAccountId: string;
  bankCode: string;
  accountNumber: string;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
  memo: string;
  traceparent: string | undefined;
}

/** A payout whose turn it is. */
export interface DuePayout extends NewPayout {
  next: Next;
  /** Calls made for it, with the one that is to be made now. */
  attempts: number;
}

/** How a payout ended. */
export interface PayoutEnd {
  payout: NewPayout;
  /** Absent: it is paid. */
  failure: { code: string; message: string } | undefined;
}

/** What became of one call for a payout: its end, or when to go on with what. */
export type PayoutChange = PayoutEnd | { payout: NewPayout; next: Next; pauseMs: number };
