import { invalidRequest } from "@ferry/platform/errors";
import { type BatchLine, MAX_LINES } from "./batch-line.ts";
import { type CsvRecord, readCsv, refuseCsv } from "./csv.ts";
import type { Destination } from "./transfer.ts";

const COLUMNS = [
  ...["reference", "sourceAccountId", "destinationAccountId", "bankCode", "accountNumber"],
  ...["currency", "minorUnits", "memo"],
] as const;

const MAX_MINOR = 2n ** 63n - 1n;

/** A field of a record by its column's name; empty where the header does not have it. */
type Cells = (name: (typeof COLUMNS)[number]) => string;

/**
 * Reads the lines of a batch from CSV. The header says which columns there are, in any order.
 *
 * A field that is no amount, or a destination of two kinds, is a result of its line and does not refuse the text.
 *
 * @throws FerryError INVALID_REQUEST for what is no CSV, a header with an unknown, a missing or a repeated column,
 * and a record with another number of fields: with line and column.
 */
export function readBatchCsv(bytes: Uint8Array): BatchLine[] {
  const [header, ...records] = readCsv(bytes, MAX_LINES + 1);
  if (header === undefined || records.length === 0)
    throw invalidRequest([{ field: "csv", description: "must have a header line and at least one more" }]);
  const columns = columnsOf(header);
  return records.map((record, index) => {
    const { line, fields } = record;
    if (fields.length !== header.fields.length)
      refuseCsv(
        line,
        Math.min(fields.length, header.fields.length) + 1,
        `has ${fields.length} fields, and the header ${header.fields.length}`,
      );
    return lineOf((name) => fields[columns.get(name) ?? -1] ?? "", index + 1, line);
  });
}

function columnsOf({ line, fields }: CsvRecord): ReadonlyMap<string, number> {
  const columns = new Map<string, number>();
  for (const [index, name] of fields.entries()) {
    if (!COLUMNS.some((known) => known === name))
      refuseCsv(line, index + 1, `no column is called ${JSON.stringify(name)}; there are ${COLUMNS.join(", ")}`);
    if (columns.has(name)) refuseCsv(line, index + 1, `the column ${name} is there twice`);
    columns.set(name, index);
  }
  const has = (...names: string[]) => names.every((name) => columns.has(name));
  const missing = ["currency", "minorUnits"].find((name) => !has(name));
  if (missing !== undefined) refuseCsv(line, fields.length + 1, `the column ${missing} is missing`);
  if (!has("destinationAccountId") && !has("bankCode", "accountNumber"))
    refuseCsv(line, fields.length + 1, "destinationAccountId, or bankCode and accountNumber, must be columns");
  return columns;
}

function lineOf(cell: Cells, line: number, textLine: number): BatchLine {
  const problem = (column: string, what: string) => ({
    code: "INVALID_REQUEST" as const,
    message: `line ${textLine} of the CSV, column ${column}: ${what}`,
  });
  const amountMinor = amountOf(cell("minorUnits"));
  const destination = destinationOf(cell);
  const wrong =
    amountMinor === undefined
      ? problem("minorUnits", "must be a whole number from 1 to 2^63 - 1, in digits only")
      : destination === "both"
        ? problem("destinationAccountId", "must be empty when there is a bank account")
        : undefined;
  return {
    line,
    reference: cell("reference"),
    sourceAccountId: cell("sourceAccountId").toLowerCase(),
    destination: destination === "both" ? undefined : destination,
    currency: cell("currency"),
    amountMinor,
    memo: cell("memo"),
    ...(wrong === undefined ? {} : { wrong }),
  };
}

function amountOf(text: string): bigint | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined;
  const amount = BigInt(text);
  return amount > 0n && amount <= MAX_MINOR ? amount : undefined;
}

function destinationOf(cell: Cells): Destination | "both" | undefined {
  const [accountId, bankCode, accountNumber] = [cell("destinationAccountId"), cell("bankCode"), cell("accountNumber")];
  const bank = bankCode !== "" || accountNumber !== "";
  if (accountId !== "") return bank ? "both" : { kind: "account", accountId: accountId.toLowerCase() };
  return bank ? { kind: "bank", bankCode, accountNumber } : undefined;
}
