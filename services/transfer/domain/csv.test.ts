import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCsv } from "./csv.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const fieldsOf = (text: string) => readCsv(bytes(text), 100).map(({ fields }) => fields);

const good: [what: string, text: string, records: string[][]][] = [
  [
    "CRLF, and no end of line at the end",
    "a,b\r\nc,d",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  [
    "LF, and an end of line at the end",
    "a,b\nc,d\n",
    [
      ["a", "b"],
      ["c", "d"],
    ],
  ],
  [
    "empty fields",
    ",,\r\na,,\r\n",
    [
      ["", "", ""],
      ["a", "", ""],
    ],
  ],
  ["a field at the end that is empty", "a,", [["a", ""]]],
  [
    "quotes around commas, quotes and line ends",
    '"a,b","c""d","e\r\nf"\r\ng,h,i',
    [
      ["a,b", 'c"d', "e\r\nf"],
      ["g", "h", "i"],
    ],
  ],
  ["an empty field in quotes", '"",b', [["", "b"]]],
  ["a byte order mark", "\uFEFFa,b", [["a", "b"]]],
  ["spaces are part of a field", " a , b ", [[" a ", " b "]]],
  ["nothing", "", []],
];

for (const [what, text, records] of good) test(`read: ${what}`, () => assert.deepEqual(fieldsOf(text), records));

const bad: [what: string, text: string, message: RegExp][] = [
  ["a quote within a field", 'a,b\r\nc,d"e', /csv: line 2, column 2: a field with quotes must be in quotes/],
  ["something after the closing quote", 'a,"b"c', /line 1, column 2: after the closing quote/],
  ["a quoted field without end", 'a,b\r\n\r"c', /line 2, column 1: a carriage return/],
  [
    "a quoted field without end, over lines",
    'a\r\n"b\r\nc\r\n',
    /line 2, column 1: a field begins with a quote and has no end/,
  ],
  ["a line after a field of two lines", '"a\nb",c\nd,"e"f', /line 3, column 2: after/],
  ["an empty line", "a,b\r\n\r\nc,d", /line 2, column 1: the line is empty/],
  ["NUL", "a,\0", /line 1, column 2: must not hold NUL/],
  ["NUL in quotes", 'a,"\0"', /line 1, column 2: must not hold NUL/],
];

for (const [what, text, message] of bad)
  test(`refused: ${what}`, () =>
    assert.throws(
      () => fieldsOf(text),
      (error: Error) => message.test(error.message) || assert.fail(error.message),
    ));

test("refused: bytes that are no UTF-8, and too many records", () => {
  assert.throws(() => readCsv(new Uint8Array([0x61, 0xff]), 10), /not valid UTF-8/);
  assert.equal(readCsv(bytes("a\nb\n"), 2).length, 2);
  assert.throws(() => readCsv(bytes("a\nb\nc"), 2), /line 3, column 1: there are more than 2 records/);
});

test("whatever is written by the rules is read back, and tells the line that it began at", () => {
  const field = fc.string().map((text) => text.replaceAll("\0", "").replace(/^\uFEFF/, ""));
  const records = fc.array(fc.array(field, { minLength: 2, maxLength: 5 }), { maxLength: 20 });
  fc.assert(
    fc.property(records, fc.constantFrom("\n", "\r\n"), (wanted, lineEnd) => {
      const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      const lines = wanted.map((fields) => fields.map(quoted).join(","));
      const read = readCsv(bytes(lines.join(lineEnd)), 100);
      assert.deepEqual(
        read.map(({ fields }) => fields),
        wanted,
      );
      let line = 1;
      for (const [index, record] of read.entries()) {
        assert.equal(record.line, line);
        line += (lines[index]!.match(/\n/g)?.length ?? 0) + 1;
      }
    }),
  );
});
