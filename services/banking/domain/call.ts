import type { Reason } from "@ferry/platform/errors";

/** What the bank is asked to do. Amounts are minor units. */
export type BankOperation =
  | { kind: "verify"; accountNumber: string }
  | { kind: "send"; accountNumber: string; currency: string; amountMinor: bigint; memo: string }
  | { kind: "collect"; accountNumber: string; currency: string; amountMinor: bigint; memberId: string }
  | { kind: "inquire" };

/** What may be asked of banking: a void is a word to banking itself, which asks the bank only where it must. */
export type Operation = BankOperation | { kind: "void" };

/** What came back from a call to the bank. */
export type BankResponse =
  /** It answered; the body is parsed JSON, or undefined when it is none. */
  | { kind: "answered"; status: number; body: unknown }
  /** It surely never got the request: nobody listens there. */
  | { kind: "unreachable"; detail: string }
  /** No answer, or only a part of one: it may have done it or not. */
  | { kind: "lost"; detail: string };

/** What is known after a call. */
export interface Outcome {
  kind: "done" | "refused" | "unknown" | "not-found" | "unavailable";
  /** With all but "done". */
  failure?: { code: Reason; message: string };
  /** What the bank said, in short, for the record. */
  detail: string;
}

const done = (detail: string): Outcome => ({ kind: "done", detail });
const refused = (code: Reason, message: string): Outcome => ({
  kind: "refused",
  failure: { code, message },
  detail: message,
});
const unavailable = (detail: string): Outcome => ({
  kind: "unavailable",
  failure: { code: "BANK_UNAVAILABLE", message: "the bank could not be asked" },
  detail,
});
const unknown = (detail: string): Outcome => ({
  kind: "unknown",
  failure: { code: "BANK_OUTCOME_UNKNOWN", message: "the bank gave no readable answer" },
  detail,
});

function textOf(body: unknown, field: string): string {
  const value = typeof body === "object" && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  // Neither PostgreSQL nor a reader of the log takes every character that a bank may send.
  return typeof value === "string"
    ? value
        .slice(0, 200)
        .toWellFormed()
        .replaceAll(/\p{Cc}/gu, " ")
    : "";
}

function interpretVerification(response: BankResponse): Outcome {
  if (response.kind !== "answered") return unavailable(response.detail);
  const status = response.status === 200 ? textOf(response.body, "status") : "";
  if (status === "ok") return done("ok");
  if (status === "unknown") return refused("BANK_ACCOUNT_UNKNOWN", "the bank does not know the account");
  if (status === "closed") return refused("BANK_ACCOUNT_CLOSED", "the account at the bank is closed");
  return unavailable(`status ${response.status}`); // A question has no effect: whatever this was, it may be asked again.
}

/** The bank's own word on a payment or debit, or undefined when the answer does not hold one. */
function readPayment(body: unknown): Outcome | undefined {
  const status = textOf(body, "status");
  if (status === "done") return done("done");
  if (status !== "refused") return undefined;
  const reason = textOf(body, "reason");
  if (reason === "mandate-missing")
    return refused("MANDATE_MISSING", "the bank has no mandate of this member for the account");
  return refused("BANK_REFUSED", `the bank refused the payment${reason === "" ? "" : `: ${reason}`}`);
}

function interpretPayment(response: BankResponse): Outcome {
  if (response.kind !== "answered") return unknown(response.detail);
  const said = response.status === 200 ? readPayment(response.body) : undefined;
  if (said !== undefined) return said;
  // Only the bank's own "refused" is a refusal. A 400 or a 409 may be said of a repetition while the
  // first request was carried out: whether it was, only asking by the reference can tell.
  return unknown(`status ${response.status}`);
}

function interpretInquiry(response: BankResponse): Outcome {
  if (response.kind !== "answered") return unknown(response.detail);
  const said = response.status === 200 ? readPayment(response.body) : undefined;
  if (said !== undefined) return said;
  const failure = { code: "BANK_REFERENCE_UNKNOWN", message: "the bank does not know the reference now" } as const;
  if (response.status === 404) return { kind: "not-found", failure, detail: "not found" };
  return unknown(`status ${response.status}`);
}

/** Says what is known after a call. Total: whatever the bank answers has a meaning, and doubt is "unknown". */
export function interpret(operation: BankOperation["kind"], response: BankResponse): Outcome {
  switch (operation) {
    case "verify":
      return interpretVerification(response);
    case "send":
    case "collect":
      return interpretPayment(response);
    case "inquire":
      return interpretInquiry(response);
    default:
      return operation satisfies never;
  }
}

/**
 * The answer to a call for a bank that the platform has no connection to: nothing was sent now. Whether something
 * was before, as when the connection was taken away while a payment was under way, only the bank could tell.
 *
 * @param paidBefore Whether a payment was recorded under the reference for which there was a connection.
 */
export function unknownBank(operation: BankOperation["kind"], bankCode: string, paidBefore: boolean): Outcome {
  const message = `there is no connection to bank ${bankCode}`;
  switch (operation) {
    case "verify":
      return refused("BANK_UNKNOWN", message);
    case "send":
    case "collect":
    case "inquire":
      return paidBefore
        ? { kind: "unknown", failure: { code: "BANK_UNKNOWN", message }, detail: message }
        : refused("BANK_UNKNOWN", message);
    default:
      return operation satisfies never;
  }
}

/**
 * The answer to a command that came after its expiry and is not carried out.
 *
 * @param paidBefore Whether a payment was recorded under the reference: then this command may be a
 * repetition, and only asking the bank can tell what became of the first.
 */
export function expired(operation: Operation["kind"], paidBefore: boolean): Outcome {
  const failure = { code: "EXPIRED", message: "the command came after its expiry and was not carried out" } as const;
  switch (operation) {
    case "verify":
    case "inquire":
    case "void":
      return { kind: "unavailable", failure, detail: "expired" };
    case "send":
    case "collect":
      return paidBefore ? unknown("expired after an earlier command") : { kind: "refused", failure, detail: "expired" };
    default:
      return operation satisfies never;
  }
}
