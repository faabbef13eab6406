import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BadField } from "./errors.ts";
import { type JsonNode, JsonNumber, MAX_DEPTH, parseJson } from "./json-text.ts";

const parse = (text: string) => parseJson(Buffer.from(text));

function plain(node: JsonNode): unknown {
  if (node instanceof JsonNumber) return Number(node.text);
  if (node instanceof Map) return Object.fromEntries([...node].map(([name, value]) => [name, plain(value)]));
  return Array.isArray(node) ? node.map(plain) : node;
}

test("reads what JSON.stringify writes, with and without spaces", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }), fc.constantFrom(0, 2), (value, spaces) => {
      const text = JSON.stringify(value, undefined, spaces);
      fc.pre(!text.includes("\\u0000"));
      assert.deepEqual(plain(parse(text)), JSON.parse(text));
    }),
  );
});

test("refuses what JSON.parse refuses", () => {
  const accepts = (read: () => unknown) => {
    try {
      read();
      return true;
    } catch {
      return false;
    }
  };
  const token = fc.constantFrom(...'{}[],:"\\ 01-.eE+tfn\nu'.split(""), '"a"', "true", "null", "1", "\\u00e9");
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
      const text = tokens.join("");
      const native = accepts(() => JSON.parse(text));
      const ours = accepts(() => parse(text));
      // A name given twice is the one thing that JSON.parse takes of these and we do not.
      if (native && !ours) assert.throws(() => parse(text), { message: /given twice/ });
      else assert.equal(ours, native, text);
    }),
    { numRuns: 2_000 },
  );
});

test("keeps numbers as they stand", () => {
  for (const text of ["9007199254740993", "1e2", "-0", "0.10"]) assert.equal((parse(text) as JsonNumber).text, text);
});

test("refuses names given twice, NUL, half pairs, bad UTF-8 and what is too deep, and says where", () => {
  const cases: [text: string | Buffer, field: string, description: RegExp][] = [
    ['{"a":{"b":1,"b":2}}', "a.b", /given twice/],
    ['{"a":1,"\\u0061":2}', "a", /given twice/],
    ['{"a":["\\u0000"]}', "a[0]", /NUL/],
    ['{"a":"\\ud83d"}', "a", /Unicode/],
    [Buffer.from([0x22, 0xc3, 0x28, 0x22]), "", /UTF-8/],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "", /UTF-8/],
    ["\ufeff{}", "", /unexpected character/],
    ["", "", /ends too early/],
    ['{"a"', "", /ends too early/],
  ];
  for (const [text, field, description] of cases)
    assert.throws(
      () => parseJson(Buffer.from(text as string)),
      (error) => error instanceof BadField && error.field === field && description.test(error.description),
      String(text),
    );
  parse("[".repeat(MAX_DEPTH) + "]".repeat(MAX_DEPTH));
  assert.throws(() => parse("[".repeat(MAX_DEPTH + 1) + "]".repeat(MAX_DEPTH + 1)), /deeper than 32/);
  assert.throws(() => parse("[".repeat(60_000)), /deeper than 32/);
});
