import { PaymentOutcome } from "@ferry/gen/ferry/banking/v1/banking_pb.ts";
import type { Failure } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import { type Answer, failureOf } from "@ferry/platform/saga";

/** What banking's word on a payment means to the saga. */
export function paymentAnswer(outcome: PaymentOutcome, failure: Failure | undefined): Answer<never> {
  const known = failure === undefined ? undefined : failureOf(failure);
  switch (outcome) {
    case PaymentOutcome.DONE:
      return { kind: "done" };
    case PaymentOutcome.REFUSED:
      return { kind: "refused", failure: known ?? { code: "BANK_REFUSED", message: "the bank refused the payment" } };
    case PaymentOutcome.NOT_FOUND:
      return {
        kind: "not-found",
        failure: known ?? { code: "BANK_REFERENCE_UNKNOWN", message: "the bank does not know the reference" },
      };
    default: // UNKNOWN, and what a newer banking may say: it is asked for.
      if (known?.code === "STEP_OUTCOME_UNKNOWN") return { kind: "unavailable", failure: known }; // Voided too early.
      return {
        kind: "unknown",
        failure: known ?? { code: "BANK_OUTCOME_UNKNOWN", message: "the bank gave no readable answer" },
      };
  }
}
