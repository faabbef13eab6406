import { FerryError, type Reason } from "@ferry/platform/errors";
import { type AccountFacts, checkRequest, type Destination, type TransferFacts } from "./transfer.ts";

/** Lines in one batch at most. */
export const MAX_LINES = 10_000;
const MAX_MEMO = 140;
const MAX_REFERENCE = 64;

/** Why a line is not paid. */
export interface LineFailure {
  code: Reason;
  /** One sentence for a person. */
  message: string;
}

/** One line as it was asked for, whether or not it can be paid. Ids are in lower case. */
export interface BatchLine {
  /** From 1. */
  line: number;
  reference: string;
  /** Empty: the batch's. */
  sourceAccountId: string;
  destination: Destination | undefined;
  currency: string;
  /** Minor units of the currency. */
  amountMinor: bigint | undefined;
  memo: string;
  /** What was wrong with it already when it was read. */
  wrong?: LineFailure;
}

/** A line with everything that its transfer needs. */
export interface PayableLine extends BatchLine {
  destination: Destination;
  amountMinor: bigint;
}

/** What is to become of a line: decided before anything is recorded, and once more when its transfer begins. */
export type LineVerdict =
  | { kind: "payable"; line: PayableLine }
  | { kind: "refused"; line: BatchLine; failure: LineFailure }
  | { kind: "duplicate"; line: BatchLine; failure: LineFailure };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What is wrong with a line by itself; undefined when nothing is. */
function wrongWith(line: BatchLine): string | undefined {
  const { destination, amountMinor } = line;
  if (line.reference.length > MAX_REFERENCE) return `reference: must be at most ${MAX_REFERENCE} characters`;
  if (line.sourceAccountId === "") return "source_account_id: neither the line nor the batch names one";
  if (!UUID.test(line.sourceAccountId)) return "source_account_id: must be a UUID";
  if (destination === undefined) return "destination: must be an account or a bank account";
  if (destination.kind === "account" && !UUID.test(destination.accountId))
    return "destination.account_id: must be a UUID";
  if (destination.kind === "bank" && !/^[0-9]{3}$/.test(destination.bankCode))
    return "destination.bank_account.bank_code: must be three digits";
  if (destination.kind === "bank" && !/^[0-9]{4,20}$/.test(destination.accountNumber))
    return "destination.bank_account.account_number: must be 4 to 20 digits";
  if (!/^[A-Z]{3}$/.test(line.currency)) return "amount.currency: must be three capital letters";
  if (amountMinor === undefined || amountMinor <= 0n) return "amount: must be above zero";
  return [...line.memo].length > MAX_MEMO ? `memo: must be at most ${MAX_MEMO} characters` : undefined;
}

/** What makes two lines the same: the caller's reference, or, without one, where the money goes, how much and why. */
export function sameAs({ reference, sourceAccountId, destination, currency, amountMinor, memo }: BatchLine): string {
  if (reference !== "") return `reference\n${reference}`;
  const to =
    destination?.kind === "bank"
      ? `${destination.bankCode}\n${destination.accountNumber}`
      : (destination?.accountId ?? "");
  return `line\n${sourceAccountId}\n${to}\n${currency}\n${amountMinor ?? ""}\n${memo}`;
}

/** What is known of member and accounts. */
export interface BatchFacts {
  memberState: TransferFacts["memberState"];
  accounts: ReadonlyMap<string, AccountFacts>;
}

/** The accounts that must be asked for to judge lines. */
export function accountsOf(lines: readonly BatchLine[]): Set<string> {
  const ids = new Set<string>();
  for (const { sourceAccountId, destination } of lines) {
    if (UUID.test(sourceAccountId)) ids.add(sourceAccountId);
    if (destination?.kind === "account" && UUID.test(destination.accountId)) ids.add(destination.accountId);
  }
  return ids;
}

/** Judges one line by itself and by the facts, as a transfer of its own would be. */
export function judgeLine(memberId: string, line: BatchLine, facts: BatchFacts): LineVerdict {
  const wrong = wrongWith(line);
  if (line.wrong !== undefined) return { kind: "refused", line, failure: line.wrong };
  const { destination, amountMinor } = line;
  if (wrong !== undefined || destination === undefined || amountMinor === undefined)
    return { kind: "refused", line, failure: { code: "INVALID_REQUEST", message: wrong ?? "the line is not whole" } };
  try {
    checkRequest(
      { ...line, memberId, destination, amountMinor },
      {
        memberState: facts.memberState,
        source: facts.accounts.get(line.sourceAccountId),
        destination: destination.kind === "account" ? facts.accounts.get(destination.accountId) : undefined,
      },
    );
  } catch (error) {
    if (!(error instanceof FerryError)) throw error;
    return { kind: "refused", line, failure: { code: error.reason, message: error.message } };
  }
  return { kind: "payable", line: { ...line, destination, amountMinor } };
}

/**
 * Judges the lines of a new batch. The same line twice is paid once: the first counts, whatever becomes of it, so
 * that no line is paid because another one failed.
 */
export function judgeLines(memberId: string, lines: readonly BatchLine[], facts: BatchFacts): LineVerdict[] {
  const first = new Map<string, number>();
  return lines.map((line) => {
    const key = sameAs(line);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, line.line);
      return judgeLine(memberId, line, facts);
    }
    const what = line.reference === "" ? "accounts, amount and memo" : `reference ${JSON.stringify(line.reference)}`;
    const message = `the same ${what} as line ${earlier}`;
    return { kind: "duplicate", line, failure: { code: "BATCH_LINE_DUPLICATE", message } };
  });
}
