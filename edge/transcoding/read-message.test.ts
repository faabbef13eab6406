import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  createRegistry,
  type DescMessage,
  equals,
  fromBinary,
  fromJson,
  type JsonObject,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { AnySchema, Int64ValueSchema, StructSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { CreateTransferRequestSchema, ListTransfersResponseSchema } from "@ferry/gen/ferry/transfer/v1/transfer_pb.ts";
import { file_google_api_http } from "@ferry/gen/google/api/http_pb.ts";
import { messageWriter } from "@ferry/platform/codec";
import fc from "fast-check";
import { BadField } from "./errors.ts";
import { parseJson } from "./json-text.ts";
import { NO_CONTEXT, readMessage } from "./read-message.ts";
import { arbitraryMessage } from "./testing/arbitrary-message.ts";
import { contractOf } from "./testing/contracts.ts";

const { everything, registry: ours } = contractOf();
const registry = createRegistry(ours, file_google_api_http);
const read = (desc: DescMessage, text: string) =>
  readMessage(desc, parseJson(Buffer.from(text)), "", { ...NO_CONTEXT, registry });

test("what protobuf-es prints is read as the same message, and so is what is printed here", () => {
  for (const desc of [everything, CreateTransferRequestSchema, ListTransfersResponseSchema]) {
    const write = messageWriter(desc, undefined, undefined, registry);
    fc.assert(
      fc.property(arbitraryMessage(desc), (message) => {
        assert.ok(equals(desc, read(desc, JSON.stringify(toJson(desc, message, { registry }))), message));
        assert.ok(equals(desc, read(desc, write(message)), message));
      }),
      { numRuns: 100 },
    );
  }
});

/** As it comes out of the wire: only there does protobuf-es round a float to what a float can be. */
const sent = (message: Message) => fromBinary(everything, toBinary(everything, message));

test("what is read of any JSON, protobuf-es reads as the same message", () => {
  const anyJson = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("1", "", "1s", "AA==", "COLOR_RED", {}, []));
  const options = { registry };
  let taken = 0;
  fc.assert(
    fc.property(arbitraryMessage(everything), fc.infiniteStream(anyJson), fc.nat(), (message, values, at) => {
      const json = toJson(everything, message, options) as JsonObject;
      const names = Object.keys(json);
      const name = names[at % Math.max(1, names.length)] ?? "aString";
      const text = JSON.stringify({ ...json, [name]: values.next().value });
      let ours: Message;
      try {
        ours = read(everything, text);
      } catch (error) {
        assert.ok(error instanceof BadField, String(error));
        return;
      }
      taken++;
      const theirs = fromJson(everything, JSON.parse(text), options);
      assert.ok(equals(everything, sent(ours), sent(theirs)), text);
    }),
    { numRuns: 200 },
  );
  assert.ok(taken > 0, "none was taken"); // One of eight is.
});

test("messages that are themselves of a type with a form of its own are read in it", () => {
  const cases: [schema: DescMessage, text: string][] = [
    [StructSchema, '{"a":[1,null,{"b":"c"}]}'],
    [ValueSchema, "null"],
    [TimestampSchema, '"2024-02-29T23:59:59.5+01:00"'],
    [Int64ValueSchema, '"-7"'],
    [AnySchema, '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"-0.5s"}'],
    [AnySchema, '{"@type":"type.googleapis.com/test.Inner","count":"9007199254740993"}'],
    [AnySchema, "{}"],
  ];
  for (const [schema, text] of cases)
    assert.ok(equals(schema, read(schema, text), fromJson(schema, JSON.parse(text), { registry })), text);
});

test("what an Any holds is read as strictly as the rest", () => {
  const any = (rest: string) => `{"wAny":{"@type":"type.googleapis.com/test.Inner"${rest}}}`;
  const cases: [text: string, field: string][] = [
    [any(',"count":1'), "wAny.count"],
    [any(',"nothing":1'), "wAny.nothing"],
    ['{"wAny":{"id":"a"}}', "wAny.@type"],
    ['{"wAny":{"@type":"test.Inner"}}', "wAny.@type"],
    ['{"wAny":{"@type":"type.googleapis.com/test.Unknown"}}', "wAny.@type"],
    ['{"wAny":{"@type":"type.googleapis.com/google.protobuf.Duration"}}', "wAny.value"],
    ['{"wAny":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s","x":1}}', "wAny.x"],
    ['{"wAny":{"@type":"type.googleapis.com/google.protobuf.Duration","value":1}}', "wAny.value"],
    ['{"wAny":1}', "wAny"],
  ];
  for (const [text, field] of cases) assert.throws(() => read(everything, text), { name: "BadField", field }, text);
  assert.throws(() => readMessage(everything, parseJson(Buffer.from(any("")))), { field: "wAny.@type" });
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
  [["aFloat"], ["3.5e38", "3.40282357e38", "-1e39"]],
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
  [
    ["wTimestamp"],
    ["2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z"]
      .concat(["2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z"])
      .concat(["2026-01-01T00:00:00.1234567890Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"])
      .map((text) => JSON.stringify(text)),
  ],
  [["wDuration"], ["1", '"1"', '"1m"', "null", '"1s "', '"1sx"', '"1.s"', '"1e3s"', '"315576000001s"', '"+1s"']],
  [["wFieldmask"], ["1", '["a"]', "null", '"a_b"', '"a,,b"', '"a,"', '"a b"', '"."']],
  [
    ["wStruct", "wValue", "wListvalue"],
    ['{"a":1e999}', '{"__proto__":1}', '{"a":{"b":{"__proto__":{}}}}'],
  ],
  [
    ["counts", "times"],
    ['{"__proto__":"1"}', '{"__proto__":"2026-01-01T00:00:00Z"}'],
  ],
  [["lTimestamp"], ['["2026-02-30T00:00:00Z"]', "[null]"]],
  [["lBytesvalue"], ['["*"]', "[null]", "[1]"]],
  [["wFloatvalue"], ["3.5e38", '"1"', "null"]],
  [
    ["longText", "wUint64value"],
    ["1", '"01"', '"1.0"', "null"],
  ],
  [["nothingAtAll"], ["0", '"null"', "false"]],
  [["wEmpty"], ["null", '{"a":1}', "1"]],
  [
    ["colorByLong", "freeByUlong"],
    ['{"-9223372036854775809":"COLOR_RED"}', '{"18446744073709551616":{}}', '{"1":1}', '{"01":{}}'],
  ],
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

test("a float is the nearest that there is, up to the largest", () => {
  const { aFloat } = read(everything, '{"aFloat":3.4028235e38}') as unknown as { aFloat: number };
  assert.equal(aFloat, Math.fround(3.4028234663852886e38));
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
