import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, equals, toJson } from "@bufbuild/protobuf";
import { CreateTransferRequestSchema, ListTransfersResponseSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { messageWriter } from "@ferry/platform/codec";
import fc from "fast-check";
import { BadField } from "./errors.ts";
import { parseJson } from "./json-text.ts";
import { NO_CONTEXT, readMessage } from "./read-message.ts";
import { arbitraryMessage } from "./testing/arbitrary-message.ts";
import { contractOf } from "./testing/contracts.ts";

const { everything } = contractOf();
const read = (desc: DescMessage, text: string) => readMessage(desc, parseJson(Buffer.from(text)));

test("what protobuf-es prints is read as the same message, and so is what is printed here", () => {
  for (const desc of [everything, CreateTransferRequestSchema, ListTransfersResponseSchema]) {
    const write = messageWriter(desc);
    fc.assert(
      fc.property(arbitraryMessage(desc), (message) => {
        assert.ok(equals(desc, read(desc, JSON.stringify(toJson(desc, message))), message));
        assert.ok(equals(desc, read(desc, write(message)), message));
      }),
      { numRuns: 150 },
    );
  }
});

test("both names of a field are taken, and neither twice", () => {
  const byJson = read(everything, '{"bigNumbers":["1"],"wTimestamp":"2026-01-31T12:00:00Z"}');
  assert.ok(equals(everything, read(everything, '{"big_numbers":["1"],"w_timestamp":"2026-01-31T12:00:00Z"}'), byJson));
  assert.throws(() => read(everything, '{"bigNumbers":[],"big_numbers":[]}'), { field: "bigNumbers" });
});

/** Values that each kind of field refuses; everything else in the table is the field's name. */
const BAD: readonly [fields: string[], values: string[]][] = [
  [
    ["aString", "text", "maybe"],
    ["1", "true", "null", "{}", '["a"]', '"\\u0000"', '"\\ud800"'],
  ],
  [
    ["aBool", "wBoolvalue"],
    ["1", '"true"', "null", "[true]", '""'],
  ],
  [["aBytes"], ["1", '"*"', '"a"', "null", '"ab cd"']],
  [
    ["aInt32", "aSint32", "aSfixed32"],
    ['"1"', "1.0", "1e2", "1.5", "true", "null", "[5]", "2147483648", "-2147483649", '""', "{}", '"NaN"'],
  ],
  [
    ["aUint32", "aFixed32", "wUint32value"],
    ["-1", "4294967296", '"1"', "1e0", "null"],
  ],
  [
    ["aInt64", "aSint64", "aSfixed64", "wInt64value", "pickedNumber"],
    [
      "1",
      "1e2",
      '"1e2"',
      '"1.0"',
      '"9223372036854775808"',
      '"-9223372036854775809"',
      '"01"',
      '"+1"',
      '" 1"',
      '"1 "',
    ].concat(['""', '"0x1"', "true", "null", "[5]", '"NaN"', '"-0"', `"${"9".repeat(5000)}"`]),
  ],
  [
    ["aUint64", "aFixed64"],
    ["1", '"-1"', '"18446744073709551616"'],
  ],
  [
    ["aFloat", "aDouble"],
    ['"1"', "1e999", "true", "null", '"nan"', '"inf"'],
  ],
  [["aFloat"], ["3.5e38"]],
  [["color"], ["1", '"RED"', '"color_red"', '""', "null", "99", '"COLOR_GREEN"']],
  [
    ["inner", "picked"],
    ["1", '"a"', "[]", "null"],
  ],
  [
    ["numbers", "bigNumbers", "colors", "inners", "names"],
    ["1", "{}", "null", '"a"', "[null]", "[[]]", '[{"x":1}]'],
  ],
  [["counts"], ["[]", "null", '{"a":1}', '{"a":null}']],
  [["byId"], ['{"a":{}}', '{"1.5":{}}', '{"2147483648":{}}', '{"1":null}']],
  [["flags"], ['{"yes":"a"}', '{"1":"a"}', '{"true":1}']],
  [["wTimestamp"], ["1", '"yesterday"', '"2026-13-01T00:00:00Z"', '"2026-01-01"', "null", "{}"]],
  [["wDuration"], ["1", '"1"', '"1m"', "null"]],
  [["wFieldmask"], ["1", '["a"]', "null"]],
  [["wStringvalue"], ["1", "null", "{}"]],
  [["wStruct"], ["1", "[]", "null", '"a"']],
  [["wListvalue"], ["1", "{}", '"a"']],
];

test("every kind of field refuses what is not exactly of its kind, and says where", () => {
  for (const [fields, values] of BAD) {
    for (const field of fields) {
      for (const value of values) {
        assert.throws(
          () => read(everything, `{"${field}":${value}}`),
          (error) => error instanceof BadField && error.field.startsWith(field) && error.description !== "",
          `${field}: ${value}`,
        );
      }
    }
  }
});

test("limits of the whole numbers are taken exactly", () => {
  const message = read(
    everything,
    '{"aInt64":"9223372036854775807","aSint64":"-9223372036854775808","aUint64":"18446744073709551615","aInt32":-2147483648}',
  );
  const expected = { aInt64: 2n ** 63n - 1n, aSint64: -(2n ** 63n), aUint64: 2n ** 64n - 1n, aInt32: -(2 ** 31) };
  assert.ok(equals(everything, message, create(everything, expected as never)));
});

test("numbers that JSON has no form for come as texts", () => {
  const { aDouble, aFloat } = read(everything, '{"aDouble":"NaN","aFloat":"-Infinity"}') as unknown as Record<
    string,
    number
  >;
  assert.deepEqual([aDouble, aFloat], [Number.NaN, -Infinity]);
});

test("unknown fields, two members of a oneof and fields that the path gives are refused by name", () => {
  const field = (text: string, taken?: string[]) => {
    try {
      readMessage(everything, parseJson(Buffer.from(text)), "", { ...NO_CONTEXT, taken: new Set(taken) });
    } catch (error) {
      return (error as BadField).field;
    }
    return "taken";
  };
  assert.equal(field('{"nothing":1}'), "nothing");
  assert.equal(field('{"__proto__":{}}'), "__proto__");
  assert.equal(field('{"constructor":{}}'), "constructor");
  assert.equal(field('{"inner":{"child":{"nothing":1}}}'), "inner.child.nothing");
  assert.equal(field('{"inners":[{},{"nothing":1}]}'), "inners[1].nothing");
  assert.equal(field('{"text":"a","picked":{}}'), "picked");
  assert.equal(field('{"inner":{"id":"a"}}', ["inner.id"]), "inner.id");
  assert.equal(field('{"inner":{"count":"1"}}', ["inner.id"]), "taken");
});
