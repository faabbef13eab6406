import type { Outcome } from "./call.ts";

/** What is recorded of payments, out and in, under a reference. */
export interface PaymentFacts {
  /** The bank has said that it did it. */
  done: boolean;
  /** The bank has said that it will not do it. */
  refusal: Outcome["failure"];
  /** One is recorded whose outcome is not. */
  underWay: boolean;
  /** One may have reached the bank. */
  asked: boolean;
  /** The last that may have reached the bank ended so long ago that "not found" is no longer said too early. */
  quiet: boolean;
}

/** A bank may look into books that lag: "not found" is its word only so long after the last call, in milliseconds. */
export const QUIET_AFTER_MS = 60_000;

const VOIDED = {
  code: "PAYMENT_VOIDED",
  message: "the payment was voided: nothing was paid, and nothing will be",
} as const;
const notKnown = (message: string, detail = message): Outcome => ({
  kind: "unknown",
  failure: { code: "BANK_OUTCOME_UNKNOWN", message },
  detail,
});
/** No operator's word counts against it: the call that is under way may still bring the money there. */
const UNDER_WAY: Outcome = {
  kind: "unknown",
  failure: { code: "STEP_OUTCOME_UNKNOWN", message: "an earlier call to the bank is under way" },
  detail: "an earlier call to the bank is under way",
};

/**
 * What the records alone say of a payment that is voided; undefined: one may have reached the bank, which has
 * not said what became of it. The void is recorded before this is asked, so no payment leaves any more.
 */
export function voidByRecords({ done, refusal, underWay, asked }: PaymentFacts): Outcome | undefined {
  if (done) return { kind: "done", detail: "done before" };
  if (underWay) return UNDER_WAY;
  if (refusal !== undefined) return { kind: "refused", failure: refusal, detail: "refused before" };
  return asked ? undefined : { kind: "refused", failure: VOIDED, detail: "voided" };
}

/**
 * The answer to a void of a payment that may have reached the bank, by what the bank says of it now. That it does
 * not know it ends the matter only once nothing has been sent for long enough, as nothing will be either.
 */
export function voidAfterAsking({ quiet }: PaymentFacts, inquiry: Outcome): Outcome {
  switch (inquiry.kind) {
    case "done":
    case "refused":
      return inquiry;
    case "not-found":
      return quiet
        ? { kind: "refused", failure: VOIDED, detail: "voided, not found at the bank" }
        : notKnown(
            "the bank does not know the payment yet, which it may have been asked for a moment ago",
            "not found",
          );
    case "unavailable":
    case "unknown":
      return notKnown("the bank does not say what became of the payment", inquiry.detail);
    default:
      return inquiry.kind satisfies never;
  }
}

/**
 * The answer to a payment under a reference that was voided; the bank is not called for it.
 *
 * @param others What is recorded beside this payment.
 * @param takenOver Whether another instance had it, which may have called the bank before the void came.
 */
export function stoppedByVoid(others: PaymentFacts, takenOver: boolean): Outcome {
  if (takenOver) return notKnown("the payment was voided; it may have been sent before");
  // Not this one has reached the bank, and its code says so to whoever voids the reference again.
  const message = "the payment was voided; what became of an earlier one is not known";
  const end = voidByRecords(others);
  if (end !== undefined && end.kind !== "unknown") return end;
  return { kind: "unknown", failure: { code: VOIDED.code, message }, detail: message };
}
