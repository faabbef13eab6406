// The codec is held against protobuf-es over every type of the contracts, and over a type with every kind of field.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import {
  create,
  type DescFile,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import { type Money, MoneySchema } from "@ferry/gen/ferry/types/v1/types_pb.ts";
import fc from "fast-check";
import { findCompiled } from "./compile.ts";
import { codecOf, decode, encode } from "./index.ts";
import { arbitraryMessage } from "./testing/arbitrary-message.ts";
import { arbitraryDamage, arbitraryWire } from "./testing/arbitrary-wire.ts";
import { compiledOf } from "./testing/compiled.ts";
import { everyKind, nothing } from "./testing/every-kind.ts";

const withNested = (desc: DescMessage): DescMessage[] => [desc, ...desc.nestedMessages.flatMap(withNested)];
const messagesOf = (files: readonly DescFile[]) => files.flatMap(({ messages }) => messages.flatMap(withNested));

const GEN = resolve(import.meta.dirname, "../../gen");
/** Every contract of the house and of gRPC's own services, those that are still to be written included. */
const contracts = globSync("{ferry,google/rpc,grpc}/**/*_pb.ts", { cwd: GEN }).map((path) => import(`${GEN}/${path}`));
const files = (await Promise.all(contracts))
  .flatMap((module) => Object.values(module) as (DescFile | DescMessage)[])
  .filter((each) => each.kind === "file");

const compiledTypes = [
  everyKind,
  nothing,
  ...messagesOf(files),
  ...messagesOf([wkt.file_google_protobuf_any, wkt.file_google_protobuf_duration, wkt.file_google_protobuf_timestamp]),
];
/** Types with features that are left to protobuf-es: proto2 with groups, extensions and closed enums, and wrapped values. */
const reflectiveTypes = messagesOf([wkt.file_google_protobuf_descriptor, wkt.file_google_protobuf_struct]);

/** What a function makes of its input, or that it throws. */
function outcomeOf<T>(run: () => T): { value: T } | "throws" {
  try {
    return { value: run() };
  } catch {
    return "throws";
  }
}

/** The type with every kind of field is wide, and is searched longer; the others are deep. */
const runsOf = (desc: DescMessage) => (desc === everyKind ? 60 : 12);
const depthOf = (desc: DescMessage) => (desc === everyKind ? 1 : 2);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function sameEncoding(actual: Uint8Array, desc: DescMessage, message: Message): void {
  assert.equal(hex(actual), hex(toBinary(desc, message)));
}

test("all contracts are searched", () => {
  assert.ok(files.length > 10 && compiledTypes.length > 100, `${files.length} files, ${compiledTypes.length} types`);
});

test("writes the bytes that protobuf-es writes, and reads what it reads", () => {
  for (const desc of compiledTypes) {
    const codec = compiledOf(desc);
    const property = fc.property(arbitraryMessage(desc, depthOf(desc)), (message) => {
      sameEncoding(codec.encode(message), desc, message);
      const bytes = toBinary(desc, message);
      assert.deepEqual(codec.decode(bytes), fromBinary(desc, bytes));
    });
    fc.assert(property, { numRuns: runsOf(desc) });
  }
});

/** A message as plain objects: what one writes to make it. Fields at their zero are left out half of the time by `keep`. */
function plain(value: unknown, keep: () => boolean): unknown {
  if (ArrayBuffer.isView(value)) return keep() ? value : [...(value as Uint8Array)];
  if (Array.isArray(value)) return value.map((item) => plain(item, keep));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => name !== "$unknown" && (name !== "$typeName" || keep()));
  return Object.fromEntries(entries.map(([name, each]) => [name, plain(each, keep)]));
}

test("makes the messages that protobuf-es makes, of messages, of plain objects, and of both mixed", () => {
  for (const desc of compiledTypes) {
    const codec = compiledOf(desc);
    const message = arbitraryMessage(desc, depthOf(desc));
    const property = fc.property(message, fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }), (given, kept) => {
      let next = 0;
      const { $typeName: _, ...init } = plain(given, () => kept[next++ % kept.length]!) as Record<string, unknown>;
      assert.deepEqual(codec.create(init), create(desc, init as MessageInitShape<DescMessage>));
    });
    fc.assert(property, { numRuns: runsOf(desc) });
    assert.deepEqual(codec.create({}), create(desc));
    const made = create(desc);
    assert.equal(codecOf(desc).create(made), made, "a message of the type is given back");
  }
});

test("accepts, refuses and merges as protobuf-es: fields in any order, of any wire type, unknown, damaged", () => {
  let accepted = 0;
  let refused = 0;
  for (const desc of compiledTypes) {
    const codec = compiledOf(desc);
    const whole = fc.tuple(arbitraryWire(desc), arbitraryMessage(desc, depthOf(desc) - 1), arbitraryWire(desc));
    const bytes = whole.map(([before, message, after]) => Buffer.concat([before, toBinary(desc, message), after]));
    const any = fc.oneof(arbitraryWire(desc), bytes, bytes.chain(arbitraryDamage));
    const property = fc.property(any, (input) => {
      const expected = outcomeOf(() => fromBinary(desc, input));
      const actual = outcomeOf(() => codec.decode(input));
      assert.deepEqual(actual, expected, hex(input));
      if (expected === "throws") refused++;
      else {
        accepted++;
        sameEncoding(codec.encode(expected.value), desc, expected.value);
      }
    });
    fc.assert(property, { numRuns: runsOf(desc) * 3 });
  }
  assert.ok(accepted > 500 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

const ODD = [
  undefined,
  null,
  "",
  "5",
  "x",
  0,
  5,
  -1,
  -0,
  2 ** 40,
  0.5,
  Number.NaN,
  0n,
  5n,
  -1n,
  2n ** 80n,
  true,
  false,
];
const ODD_PARTS = [
  {},
  [],
  [undefined],
  [5],
  [""],
  [null],
  [{}],
  { length: 1, 0: 5 },
  { a: 5 },
  { 1: "x" },
  { true: 5n },
  new Uint8Array(1),
];
const ODD_MESSAGES = [{ $typeName: "test.Other" }, { $typeName: "test.EveryKind" }, { case: undefined }, () => 5];

test("does with values of a wrong type what protobuf-es does", () => {
  const codec = codecOf(everyKind);
  const odd = fc.constantFrom<unknown>(...ODD, ...ODD_PARTS, ...ODD_MESSAGES);
  const choiceOf = (names: readonly string[]) => fc.record({ case: fc.constantFrom(...names), value: odd });
  const change = fc.constantFrom(...everyKind.members).chain((member) => {
    const value = member.kind === "field" ? odd : choiceOf(["nothing", ...member.fields.map((each) => each.localName)]);
    return fc.oneof({ weight: 3, arbitrary: value }, odd).map((each) => ({ [member.localName]: each }));
  });
  const property = fc.property(arbitraryMessage(everyKind, 0), change, (message, changes) => {
    const changed = { ...message, ...changes } as Message;
    const expected = outcomeOf(() => hex(toBinary(everyKind, changed)));
    assert.deepEqual(
      outcomeOf(() => hex(codec.encode(changed))),
      expected,
    );
  });
  fc.assert(property, { numRuns: 600 });
});

test("errors are those of protobuf-es", () => {
  const wrong = { ...create(MoneySchema), minorUnits: "a lot" as unknown as bigint };
  const foreign = { ...create(MoneySchema), $typeName: "test.Money" } as unknown as Money;
  assert.match(
    outcomeOfError(() => encode(MoneySchema, wrong)),
    /ferry\.types\.v1\.Money\.minor_units/,
  );
  assert.match(
    outcomeOfError(() => encode(MoneySchema, foreign)),
    /with message test\.Money/,
  );
  const bytes = Buffer.from([0x0a, 0x05, 0x41]);
  assert.equal(
    outcomeOfError(() => decode(MoneySchema, bytes)),
    outcomeOfError(() => fromBinary(MoneySchema, bytes)),
  );
});

function outcomeOfError(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

test("bytes are a view of the input, and what is written has memory of its own", () => {
  const message = create(everyKind, { one4: new Uint8Array([1, 2, 3]) } as never);
  const first = encode(everyKind, message);
  const kept = hex(first);
  const read = decode(everyKind, first) as unknown as Record<string, Uint8Array>;
  assert.equal(read.one4!.buffer, first.buffer);
  encode(everyKind, create(everyKind));
  assert.equal(hex(first), kept);
});

function nested(depth: number, wrap: (inner: Buffer) => Buffer[]): Buffer {
  let bytes = Buffer.alloc(0);
  for (let count = 0; count < depth; count++) bytes = Buffer.concat(wrap(bytes));
  return bytes;
}

test("messages and groups lie at most a hundred deep in each other", () => {
  const itself = everyKind.fields.find(({ localName }) => localName === "one1")!;
  const tag = Buffer.from([(itself.number << 3) | 2]);
  const varint = (value: number) => Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
  const inMessages = (inner: Buffer) => [tag, varint(inner.length), inner];
  const inGroups = (inner: Buffer) => [Buffer.from([0xf3, 0x3f]), inner, Buffer.from([0xf4, 0x3f])];
  const codec = compiledOf(everyKind);
  for (const [depth, groups] of [
    [99, 0],
    [100, 0],
    [0, 99],
    [0, 100],
    [50, 49],
    [50, 50],
    [5_000, 0],
    [0, 5_000],
  ]) {
    let bytes = nested(groups!, inGroups);
    for (let count = 0; count < depth!; count++) bytes = Buffer.concat(inMessages(bytes));
    const expected = outcomeOf(() => fromBinary(everyKind, bytes));
    assert.deepEqual(
      outcomeOf(() => codec.decode(bytes)),
      expected,
      `${depth} messages, ${groups} groups`,
    );
    assert.equal(expected === "throws", depth! + groups! > 99);
  }
});

test("what is not plain is left to protobuf-es", () => {
  for (const desc of reflectiveTypes) {
    const codec = codecOf(desc);
    const property = fc.property(arbitraryMessage(desc, 2), (message) => {
      const bytes = outcomeOf(() => hex(toBinary(desc, message)));
      assert.deepEqual(
        outcomeOf(() => hex(codec.encode(message))),
        bytes,
      );
      if (bytes !== "throws") {
        const input = Buffer.from(bytes.value, "hex");
        assert.deepEqual(codec.decode(input), fromBinary(desc, input));
      }
    });
    fc.assert(property, { numRuns: 5 });
  }
  assert.equal(findCompiled(wkt.FileDescriptorProtoSchema), undefined);
  assert.equal(findCompiled(wkt.FieldDescriptorProtoSchema), undefined);
});
