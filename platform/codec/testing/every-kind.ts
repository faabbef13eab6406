import { createFileRegistry, type DescMessage, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

const SCALARS = [
  ...["string", "bool", "bytes", "int32", "sint32", "sfixed32", "uint32", "fixed32", "int64", "sint64"],
  ...["sfixed64", "uint64", "fixed64", "float", "double"],
];
const KEYS = SCALARS.filter((type) => !["bytes", "float", "double"].includes(type));
const VALUES = [".test.Color", ".test.EveryKind", ...SCALARS];

type FieldJson = JsonObject & { name: string };

function field(name: string, type: string, more: JsonObject = {}): FieldJson {
  const kind: JsonObject = type.startsWith(".")
    ? { type: type.endsWith("Color") ? "TYPE_ENUM" : "TYPE_MESSAGE", typeName: type }
    : { type: `TYPE_${type.toUpperCase()}` };
  return { name, label: "LABEL_OPTIONAL", ...kind, ...more };
}

const numbered = (fields: readonly FieldJson[]) => fields.map((each, index) => ({ ...each, number: index + 1 }));

/** Entries as compilers write them: every type of key, and every type of value. */
const entries = [...KEYS.map((key) => [key, "int32"]), ...VALUES.map((value) => ["string", value])].map(
  ([key = "", value = ""], index) => ({
    name: `M${index}Entry`,
    field: numbered([field("key", key), field("value", value)]),
    options: { mapEntry: true },
  }),
);

const list = { label: "LABEL_REPEATED" };
const optionals = VALUES.map((type, index) => field(`optional_${index}`, type, { proto3Optional: true }));

const fields: FieldJson[] = [
  ...VALUES.map((type, index) => field(`one_${index}`, type)),
  ...VALUES.map((type, index) => field(`list_${index}`, type, list)),
  ...SCALARS.filter((type) => !["string", "bytes"].includes(type)).map((type, index) =>
    field(`loose_${index}`, type, { ...list, options: { packed: false } }),
  ),
  ...entries.map(({ name }, index) => field(`m${index}`, `.test.EveryKind.${name}`, list)),
  ...VALUES.map((type, index) => field(`choice_${index}`, type, { oneofIndex: 0 })),
  ...VALUES.map((type, index) => field(`other_${index}`, type, { oneofIndex: 1 })),
  // Names that mean something to JavaScript or to the compiled text.
  ...["constructor", "reader", "message", "value", "start", "key", "class"].map((name) => field(name, "string")),
  ...optionals.map((each, index) => ({ ...each, oneofIndex: index + 2 })),
];

const file = fromJson(FileDescriptorProtoSchema, {
  name: "test/every-kind.proto",
  package: "test",
  syntax: "proto3",
  enumType: [{ name: "Color", value: ["COLOR_UNSPECIFIED", "COLOR_RED"].map((name, number) => ({ name, number })) }],
  messageType: [
    {
      name: "EveryKind",
      // Downwards, so that the order of the contract is not that of the numbers.
      field: numbered(fields).toReversed(),
      nestedType: entries,
      oneofDecl: ["choice", "other", ...optionals.map(({ name }) => `_${name}`)].map((name) => ({ name })),
    },
    { name: "Nothing" },
  ],
});

const registry = createFileRegistry(file, () => undefined);

/** A message type with every kind of field that codecs are compiled for: single, list, map, choice, of every type. */
export const everyKind: DescMessage = registry.getMessage("test.EveryKind")!;

/** A message type without fields. */
export const nothing: DescMessage = registry.getMessage("test.Nothing")!;
