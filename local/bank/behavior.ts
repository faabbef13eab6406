/** What a bank may do with one attempt to send. "silent": the connection stays open and nothing comes. */
export type SendStep =
  | { does: "done"; answers: "at once" | "late" | "broken" }
  | { does: "refused"; reason: string }
  | { does: "nothing"; answers: "error" | "silent" };

export type VerifyStep = "ok" | "unknown" | "closed" | "error";

const FAULTY_ATTEMPTS = 3;

/** The behavior of an account is chosen by the last four digits of its number. */
const digitsOf = (accountNumber: string): string => accountNumber.slice(-4);

/** Whether verifications of this account are counted per reference. */
export const countsVerifications = (accountNumber: string): boolean => digitsOf(accountNumber) === "9501";

/** @param attempt 1 for the first verification with this reference. */
export function verifyStep(accountNumber: string, attempt: number): VerifyStep {
  switch (digitsOf(accountNumber)) {
    case "9404":
      return "unknown";
    case "9409":
      return "closed";
    case "9501":
      return attempt <= FAULTY_ATTEMPTS ? "error" : "ok";
    default:
      return "ok";
  }
}

/**
 * Decides one attempt to move money, a payment or a debit.
 *
 * @param attempt 1 for the first attempt with this reference. Only attempts without effect count up.
 */
export function sendStep(accountNumber: string, attempt: number): SendStep {
  switch (digitsOf(accountNumber)) {
    case "9402":
      return { does: "refused", reason: "refused-by-account" };
    case "9404":
      return { does: "refused", reason: "account-unknown" };
    case "9409":
      return { does: "refused", reason: "account-closed" };
    case "9500":
      return attempt <= FAULTY_ATTEMPTS ? { does: "nothing", answers: "error" } : { does: "done", answers: "at once" };
    case "9505":
      // Done at the third attempt: two stay without an answer.
      return attempt < FAULTY_ATTEMPTS ? { does: "nothing", answers: "silent" } : { does: "done", answers: "at once" };
    case "9504":
      return { does: "done", answers: "late" };
    case "9400":
      return { does: "done", answers: "broken" };
    case "9999":
      return { does: "nothing", answers: "silent" };
    default:
      return { does: "done", answers: "at once" };
  }
}

/** Whether the bank never answers when asked about a reference that was sent to this account. */
export const isSilentWhenAsked = (accountNumber: string): boolean => digitsOf(accountNumber) === "9999";

/** Mandates are given from the start for account numbers that begin with 11. */
export const hasStandingMandate = (accountNumber: string): boolean => accountNumber.startsWith("11");
