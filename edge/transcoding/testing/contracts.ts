import {
  createFileRegistry,
  createRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  fromJson,
  type JsonObject,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_google_api_annotations } from "@ferry/gen/google/api/annotations_pb.ts";

const IMPORTS: readonly DescFile[] = [
  file_google_api_annotations,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** A field as "type name", "repeated type name", with what descriptor.proto has beyond that. */
type FieldText = string | [text: string, more: JsonObject];

function fieldOf(given: FieldText, index: number): JsonObject {
  const [text, more] = typeof given === "string" ? [given, {}] : given;
  const words = text.split(" ");
  const [type = "", name = ""] = words.slice(-2);
  const label = words[0] === "repeated" ? "LABEL_REPEATED" : "LABEL_OPTIONAL";
  const jsonName = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const kind: JsonObject = type.startsWith(".")
    ? { type: type.endsWith("Color") ? "TYPE_ENUM" : "TYPE_MESSAGE", typeName: type }
    : { type: `TYPE_${type.toUpperCase()}` };
  return { name, jsonName, number: index + 1, label, ...kind, ...more };
}

function messageOf(name: string, fields: readonly FieldText[], more: JsonObject = {}): JsonObject {
  return { name, field: fields.map(fieldOf), ...more };
}

/** The entry type of a map, as compilers write it. */
function entryOf(name: string, key: string, value: string): JsonObject {
  return messageOf(name, [`${key} key`, `${value} value`], { options: { mapEntry: true } });
}

const SCALARS = [
  ...["string", "bool", "bytes", "int32", "sint32", "sfixed32", "uint32", "fixed32", "int64", "sint64"],
  ...["sfixed64", "uint64", "fixed64", "float", "double"],
];
const KNOWN = ["Timestamp", "Duration", "FieldMask", "Int64Value", "UInt32Value", "StringValue", "BoolValue"];
const FREE = ["Struct", "Value", "ListValue"];

const EVERYTHING = messageOf(
  "Everything",
  [
    ...SCALARS.map((type) => `${type} a_${type}`),
    ".test.Color color",
    ".test.Inner inner",
    "repeated int32 numbers",
    "repeated int64 big_numbers",
    "repeated .test.Color colors",
    "repeated .test.Inner inners",
    "repeated .test.Everything.CountsEntry counts",
    "repeated .test.Everything.ByIdEntry by_id",
    "repeated .test.Everything.FlagsEntry flags",
    ["string text", { oneofIndex: 0 }],
    [".test.Inner picked", { oneofIndex: 0 }],
    [".google.protobuf.Int64Value picked_number", { oneofIndex: 0 }],
    ...KNOWN.map((type) => `.google.protobuf.${type} w_${type.toLowerCase()}`),
    ...FREE.map((type) => `.google.protobuf.${type} w_${type.toLowerCase()}`),
    "repeated .google.protobuf.StringValue names",
    ["string maybe", { proto3Optional: true, oneofIndex: 1 }],
  ],
  {
    oneofDecl: [{ name: "choice" }, { name: "_maybe" }],
    nestedType: [
      entryOf("CountsEntry", "string", "int64"),
      entryOf("ByIdEntry", "int32", ".test.Inner"),
      entryOf("FlagsEntry", "bool", "string"),
    ],
  },
);

/** One rpc of a contract: its rule by the JSON form of google.api.HttpRule. */
export interface RpcText {
  name: string;
  rule?: JsonObject;
  clientStreaming?: boolean;
}

/** A contract of the package "test" with types that have every kind of field, and rpcs from Everything to Everything. */
export function contractOf(rpcs: readonly RpcText[] = []): { service: DescService; everything: DescMessage } {
  const method = rpcs.map(({ name, rule, clientStreaming = false }) => ({
    ...{ name, inputType: ".test.Everything", outputType: ".test.Everything", clientStreaming },
    ...(rule === undefined ? {} : { options: { "[google.api.http]": rule } }),
  }));
  const json = {
    name: "test/everything.proto",
    package: "test",
    syntax: "proto3",
    dependency: IMPORTS.map(({ proto }) => proto.name),
    enumType: [
      {
        name: "Color",
        value: ["COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE"].map((name, number) => ({ name, number })),
      },
    ],
    messageType: [
      messageOf("Inner", ["string id", "int64 count", ".test.Inner child", ".test.Color color"]),
      EVERYTHING,
    ],
    service: [{ name: "TestService", method }],
  };
  const file = fromJson(FileDescriptorProtoSchema, json, { registry: createRegistry(file_google_api_annotations) });
  const registry = createFileRegistry(file, (name) => IMPORTS.find(({ proto }) => proto.name === name));
  return { service: registry.getService("test.TestService")!, everything: registry.getMessage("test.Everything")! };
}
