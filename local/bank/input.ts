/** A request that cannot be understood: names the field, and says what would be right. */
export class BadInput extends Error {
  readonly field: string;
  constructor(field: string, problem: string) {
    super(`${field} ${problem}`);
    this.field = field;
  }
}

type Fields = Readonly<Record<string, unknown>>;
const MAX_INT64 = 9_223_372_036_854_775_807n;

export function asObject(value: unknown, field: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new BadInput(field, "must be an object");
}

export function readText(fields: Fields, field: string, form: RegExp, says: string): string {
  const value = fields[field];
  if (typeof value === "string" && form.test(value)) return value;
  throw new BadInput(field, `must be ${says}`);
}

export const readReference = (fields: Fields) =>
  readText(fields, "reference", /^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, hyphens or underscores");

export const readAccountNumber = (fields: Fields, field: string) =>
  readText(fields, field, /^[0-9]{4,20}$/, "4 to 20 digits");

export const readMemberId = (fields: Fields) =>
  readText(fields, "memberId", /^[A-Za-z0-9_-]{1,64}$/, "1 to 64 letters, digits, hyphens or underscores");

/** The memo is optional; an empty one is the same as none. */
export function readMemo(fields: Fields): string | undefined {
  if (fields.memo === undefined || fields.memo === "") return undefined;
  return readText(fields, "memo", /^[^\p{Cc}]{1,140}$/u, "a text of at most 140 characters without control characters");
}

export function readAmount(fields: Fields): { currency: string; minorUnits: string } {
  const amount = asObject(fields.amount, "amount");
  if (typeof amount.currency !== "string" || !/^[A-Z]{3}$/.test(amount.currency)) {
    throw new BadInput("amount.currency", "must be three capital letters");
  }
  const { minorUnits } = amount;
  const isNumber = typeof minorUnits === "string" && /^[1-9][0-9]{0,18}$/.test(minorUnits);
  if (!isNumber || BigInt(minorUnits) > MAX_INT64) {
    throw new BadInput("amount.minorUnits", "must be a whole number above 0 and below 2^63, as a text of digits");
  }
  return { currency: amount.currency, minorUnits };
}

/** A whole number from a query string. */
export function readNumber(fields: Fields, field: string, bounds: { min: number; max: number; fallback: number }) {
  const value = fields[field];
  if (value === undefined) return bounds.fallback;
  const number = typeof value === "string" && /^-?[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= bounds.min && number <= bounds.max) return number;
  throw new BadInput(field, `must be a whole number from ${bounds.min} to ${bounds.max}`);
}
