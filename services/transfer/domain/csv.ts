import { invalidRequest } from "@ferry/platform/errors";

/** One record of a CSV text. */
export interface CsvRecord {
  /** Line of the text that it begins at, from 1. */
  line: number;
  fields: readonly string[];
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;
const COMMA = 44;

/** @throws FerryError INVALID_REQUEST that names line and column, both counted from 1; a column is a field. */
export function refuseCsv(line: number, column: number, problem: string): never {
  throw invalidRequest([{ field: "csv", description: `line ${line}, column ${column}: ${problem}` }]);
}

/**
 * Reads CSV by RFC 4180, strictly: fields between commas, in quotes where they hold commas, quotes (doubled) or
 * line ends; lines end with CRLF or LF, the last one may do without. A byte order mark at the beginning is left out.
 *
 * @param maxRecords Records at most, a header included.
 * @throws FerryError INVALID_REQUEST for bytes that are no UTF-8, a NUL, a quote where none may be, a quoted field
 * without end, an empty line, and too many records.
 */
export function readCsv(bytes: Uint8Array, maxRecords: number): CsvRecord[] {
  const text = textOf(bytes);
  const records: CsvRecord[] = [];
  for (const at = { index: 0, line: 1 }; at.index < text.length; ) {
    if (records.length === maxRecords) refuseCsv(at.line, 1, `there are more than ${maxRecords} records`);
    records.push(readRecord(text, at));
  }
  return records;
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalidRequest([{ field: "csv", description: "is not valid UTF-8" }]);
  }
}

/** Where the reader stands. */
interface Position {
  index: number;
  line: number;
}

function readRecord(text: string, at: Position): CsvRecord {
  const line = at.line;
  const fields: string[] = [];
  for (;;) {
    const column = fields.length + 1;
    fields.push(text.charCodeAt(at.index) === QUOTE ? readQuoted(text, at, column) : readPlain(text, at, column));
    if (text.charCodeAt(at.index) === COMMA) {
      at.index++;
      continue;
    }
    if (fields.length === 1 && fields[0] === "") refuseCsv(line, 1, "the line is empty");
    skipLineEnd(text, at);
    return { line, fields };
  }
}

function skipLineEnd(text: string, at: Position): void {
  if (at.index >= text.length) return;
  at.index += text.charCodeAt(at.index) === CARRIAGE_RETURN ? 2 : 1;
  at.line++;
}

/** Whether a line, or the text, ends here. */
function isEnd(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return (
    index >= text.length || code === LINE_FEED || (code === CARRIAGE_RETURN && text.charCodeAt(index + 1) === LINE_FEED)
  );
}

function readPlain(text: string, at: Position, column: number): string {
  const start = at.index;
  for (;;) {
    const code = text.charCodeAt(at.index);
    if (code === COMMA || isEnd(text, at.index)) return text.slice(start, at.index);
    if (code === QUOTE) refuseCsv(at.line, column, "a field with quotes must be in quotes, and each of them doubled");
    if (code === CARRIAGE_RETURN) refuseCsv(at.line, column, "a carriage return without a line feed");
    if (code === 0) refuseCsv(at.line, column, "must not hold NUL");
    at.index++;
  }
}

function readQuoted(text: string, at: Position, column: number): string {
  const startLine = at.line;
  let value = "";
  for (let start = at.index + 1; ; ) {
    const end = text.indexOf('"', start);
    if (end === -1) refuseCsv(startLine, column, "a field begins with a quote and has no end");
    const part = text.slice(start, end);
    if (part.includes("\0")) refuseCsv(at.line, column, "must not hold NUL");
    at.line += part.split("\n").length - 1;
    at.index = end + 1;
    if (text.charCodeAt(at.index) !== QUOTE) {
      value += part;
      break;
    }
    value += `${part}"`;
    start = end + 2;
  }
  if (text.charCodeAt(at.index) !== COMMA && !isEnd(text, at.index))
    refuseCsv(at.line, column, "after the closing quote comes neither a comma nor the end of the line");
  return value;
}
