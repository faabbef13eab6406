// Made by `npm run generate` from the contracts; do not edit.
import type { Int64Input } from "../calls.ts";

/** An account at a bank outside the platform. */
export interface BankAccount {
  /** The bank's code, as "081". */
  bankCode: string;
  /** The account's number at that bank. */
  accountNumber: string;
}

/** An account at a bank outside the platform. */
export interface BankAccountInput {
  /** The bank's code, as "081". */
  bankCode: string;
  /** The account's number at that bank. */
  accountNumber: string;
}

/** Why something that was recorded did not succeed. */
export interface Failure {
  /** A reason of ferry.errors.v1.Reason without its prefix, as "INSUFFICIENT_BALANCE". */
  code: string;
  /** One sentence for a person. */
  message: string;
}

/** What a composed answer lacks, and why: a composed answer has these in a field `missing`. */
export interface MissingPart {
  /** Name of the answer's field, as JSON writes it. */
  part: string;
  /** A reason of ferry.errors.v1.Reason without its prefix, as "DEADLINE_EXCEEDED". */
  reason: string;
}

/** An exact amount of money. */
export interface Money {
  /** ISO 4217 code, as "EUR". */
  currency: string;
  /**
   * The amount in the currency's smallest unit (cents for EUR, yen for JPY). In JSON a string of decimal digits.
   */
  minorUnits: string;
}

/** An exact amount of money. */
export interface MoneyInput {
  /** ISO 4217 code, as "EUR". */
  currency: string;
  /**
   * The amount in the currency's smallest unit (cents for EUR, yen for JPY). In JSON a string of decimal digits.
   */
  minorUnits?: Int64Input;
}
