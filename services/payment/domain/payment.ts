import { FerryError } from "@ferry/platform/errors";

export type PaymentState = "ACCEPTED" | "TOPPING_UP" | "HELD" | "COMPLETED" | "FAILED" | "CANCELED" | "PARKED";

const STATES_AT_REST: ReadonlySet<PaymentState> = new Set(["COMPLETED", "FAILED", "CANCELED", "PARKED"]);

/** Whether a payment stays as it is unless an operator acts: nobody waits for more. */
export function isPaymentAtRest(state: PaymentState): boolean {
  return STATES_AT_REST.has(state);
}

/** How a payment tops up by itself. */
export interface PaymentTopUp {
  bankCode: string;
  accountNumber: string;
  /** Minor units; undefined: what is missing. */
  amountMinor: bigint | undefined;
}

export interface PaymentRequest {
  memberId: string;
  sourceAccountId: string;
  merchantAccountId: string;
  currency: string;
  /** Minor units of the currency, above zero. */
  amountMinor: bigint;
  memo: string;
  topUp: PaymentTopUp | undefined;
}

/** What ledger says about an account. */
export interface AccountFacts {
  ownerId: string;
  currency: string;
  open: boolean;
}

/** What other services say; undefined where there is none. */
export interface PaymentFacts {
  memberState: "active" | "suspended" | undefined;
  source: AccountFacts | undefined;
  merchant: AccountFacts | undefined;
}

/**
 * Refuses a payment that must not be recorded.
 *
 * @returns the merchant: the owner of the account that is paid.
 * @throws FerryError MEMBER_SUSPENDED; NOT_FOUND when the source is not the member's or does not exist,
 * so that nobody learns which accounts exist; SAME_ACCOUNT, ACCOUNT_CLOSED, CURRENCY_MISMATCH,
 * DESTINATION_UNKNOWN.
 */
export function checkPayment(request: PaymentRequest, { memberState, source, merchant }: PaymentFacts): string {
  const { memberId, currency } = request;
  if (memberState === undefined) throw new FerryError("NOT_FOUND", "no such member");
  if (memberState === "suspended") throw new FerryError("MEMBER_SUSPENDED", "the member is suspended");
  if (source === undefined || source.ownerId !== memberId)
    throw new FerryError("NOT_FOUND", `source_account_id: no account ${request.sourceAccountId}`);
  if (!source.open) throw new FerryError("ACCOUNT_CLOSED", "source_account_id: the account is closed");
  if (source.currency !== currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the source account is in ${source.currency}`);
  if (merchant === undefined) throw new FerryError("DESTINATION_UNKNOWN", "merchant_account_id: no such account");
  if (merchant.ownerId === memberId)
    throw new FerryError("SAME_ACCOUNT", "merchant_account_id: is an account of your own; a transfer reaches it");
  if (!merchant.open) throw new FerryError("ACCOUNT_CLOSED", "merchant_account_id: the account is closed");
  if (merchant.currency !== currency)
    throw new FerryError("CURRENCY_MISMATCH", `amount.currency: the merchant's account is in ${merchant.currency}`);
  return merchant.ownerId;
}

/**
 * How much a payment brings in, when that much is missing; undefined when it brings in nothing: it has no
 * top-up, or one that would not be enough.
 */
export function topUpAmountOf(topUp: PaymentTopUp | undefined, missingMinor: bigint): bigint | undefined {
  if (topUp === undefined || missingMinor <= 0n) return undefined;
  const { amountMinor = missingMinor } = topUp;
  return amountMinor < missingMinor ? undefined : amountMinor;
}

/** How far a payment's saga has come. */
export interface PaymentProgress {
  status: "running" | "undoing" | "completed" | "undone" | "parked";
  /** Names of the steps that are done. */
  done: ReadonlySet<string>;
  /** The balance was too low when the hold was first asked for. */
  short: boolean;
  canceled: boolean;
}

/** The state that readers see. While a payment is undone it stays in the last state that it reached. */
export function paymentStateOf({ status, done, short, canceled }: PaymentProgress): PaymentState {
  switch (status) {
    case "completed":
      return "COMPLETED";
    case "undone":
      return canceled ? "CANCELED" : "FAILED";
    case "parked":
      return "PARKED";
    case "running":
    case "undoing":
      if (done.has(short ? "place-hold-again" : "place-hold")) return "HELD";
      return short ? "TOPPING_UP" : "ACCEPTED";
    default:
      return status satisfies never;
  }
}
